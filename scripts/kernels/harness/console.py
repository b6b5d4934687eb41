"""Reads what a guest said on its serial console.

The guest's messages are lines that begin with "@@guest ": JSON events, and reports between two
markers with their length and checksum (guest/serial.h). Everything else on the console is the
kernel's own. Nothing is taken for a result that did not arrive whole.
"""
import json
import re
import zlib
from dataclasses import dataclass, field

_BEGIN = re.compile(rb"@@guest report-begin run=(\d+) kind=(\w+) bytes=(\d+) crc32=([0-9a-f]{8})")
_PANIC = re.compile(
    rb"(Kernel panic - not syncing.*|BUG: .*|Oops: .*|kernel BUG at .*|Unable to mount root.*"
    rb"|Failed to execute /init.*)")


@dataclass
class Run:
    """What came of one run: the programs by kind ("argv", "verify"), and their reports' bytes."""
    programs: dict = field(default_factory=dict)
    reports: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)
    complete: bool = False


@dataclass
class Console:
    release: str | None = None
    cpus: int | None = None
    runs: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)  # before the first run, or of none
    panic: str | None = None
    ended: bool = False
    last_line: str = ""

    def run(self, number):
        return self.runs.setdefault(number, Run())


def read_console(raw):
    """The Console that the bytes `raw` tell of."""
    console = Console()
    data = raw.replace(b"\r\n", b"\n")
    position = 0
    running = None  # the run that failures without a number belong to
    pending = []
    while position < len(data):
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        line = data[position:end]
        position = end + 1
        if line.strip():
            console.last_line = line.decode(errors="replace").strip()
        begin = _BEGIN.search(line)
        if begin:
            number, kind = int(begin[1]), begin[2].decode()
            size, checksum = int(begin[3]), int(begin[4], 16)
            body = data[position:position + size]
            if len(body) == size and zlib.crc32(body) == checksum:
                console.run(number).reports[kind] = body
                position += size
            else:
                console.run(number).failures.append(f"the {kind} report was cut off or damaged")
            continue
        start = line.find(b'@@guest {"event":')
        if start >= 0:
            try:
                event = json.loads(line[start + len(b"@@guest "):])
            except ValueError:
                console.failures.append("a damaged line on the console")
                continue
            kind = event["event"]
            if kind == "boot":
                console.release = event["release"]
                console.cpus = event["cpus"]
            elif kind == "failed":
                what = event["what"]
                if event.get("errno"):
                    what += f": {event['error']}"
                pending.append(what)
            elif kind == "program":
                console.run(event["run"]).programs[event["kind"]] = event
            elif kind == "run":
                running = console.run(event["run"])
                running.complete = True
                running.failures += pending
                pending = []
            elif kind == "end":
                console.ended = True
            continue
        panic = _PANIC.search(line)
        if panic and console.panic is None:
            console.panic = panic[1].decode(errors="replace").strip()
    console.failures += pending
    return console
