"""Reads a guest's output on its serial console.

The guest's messages are lines that begin with "@@guest ": JSON events, and reports between two markers with their
length and checksum (guest/serial.h). Everything else on the console comes from the kernel. Only what arrived
complete counts as a result.
"""
import json
import re
import zlib
from dataclasses import dataclass, field

_BEGIN = re.compile(rb"@@guest report-begin run=(\d+) kind=(\w+) bytes=(\d+) crc32=([0-9a-f]{8})")
# The kernel's own error messages, worst first. A filesystem's messages about damage count as warnings.
_TROUBLE = tuple((kind, re.compile(pattern)) for kind, pattern in (
    ("hang", rb"(INFO: task \S+ blocked for more than.*|BUG: soft lockup.*|rcu\S* (?:self-)?detected stall.*)"),
    ("oops", rb"(Kernel panic - not syncing.*|BUG: .*|Oops: .*|kernel BUG at .*|general protection fault.*"
             rb"|Unable to mount root.*|Failed to execute /init.*)"),
    ("warning", rb"(WARNING: (?:CPU|\S+\.[ch]:\d).*|UBSAN: .*|(?:EXT4-fs|REISERFS|FAT-fs|exFAT-fs|BTRFS)[ :]?(?:\([^)]*\):? )?"
                rb"(?:error|critical).*|XFS \([^)]*\): (?:Metadata corruption|Internal error|Corruption).*"
                rb"|F2FS-fs \([^)]*\): .*(?:[Ii]nconsisten|corrupt).*|(?:UBIFS|ubi\d+) error.*)")))
TROUBLES = ("oops", "hang", "warning")  # worst first
_TAINTS = {1 << 7: "oops", 1 << 9: "warning"}  # of /proc/sys/kernel/tainted
# Old kernels stop here, or panic, if their IO-APIC's timer does not tick under QEMU.
_IO_APIC = re.compile(rb"IO-APIC \+ timer|MP-BIOS bug: 8254|\.\.TIMER: vector|ENABLING IO-APIC IRQs")


@dataclass
class Run:
    """The result of one run: the programs by kind ("argv", "verify"), and the bytes of their reports."""
    programs: dict = field(default_factory=dict)
    reports: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)
    trouble: list = field(default_factory=list)  # (kind, the kernel's message)
    complete: bool = False


@dataclass
class Console:
    release: str | None = None
    cpus: int | None = None
    runs: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)  # before the first run, or of no run
    trouble: list = field(default_factory=list)  # of no run
    tainted: int = 0
    ended: bool = False
    at_io_apic: bool = False
    oopsed: tuple = ()  # the first time: the number of the last run that had begun, or 0, and the kernel's words
    last_line: str = ""

    def run(self, number):
        return self.runs.setdefault(number, Run())

    def event(self, event, current):
        """Processes an event that came during the run `current`. Returns the run that is under way after it, if any."""
        kind = event["event"]
        if kind == "boot":
            self.release, self.cpus, self.tainted = event["release"], event["cpus"], event.get("tainted", 0)
        elif kind == "begin":
            return self.run(event["run"])
        elif kind == "failed":
            what = event["what"] + (f": {event['error']}" if event.get("errno") else "")
            (current or self).failures.append(what)
        elif kind == "hang":
            (current or self).trouble.append(("hang", event["what"]))
        elif kind == "program":
            self.run(event["run"]).programs[event["kind"]] = event
        elif kind == "run":
            self._end_of_run(self.run(event["run"]), event.get("tainted", 0))
            return None
        elif kind == "end":
            self.ended = True
        return current

    def _end_of_run(self, run, tainted):
        run.complete = True
        run.failures += self.failures
        self.failures = []
        for bit, kind in _TAINTS.items():
            if tainted & ~self.tainted & bit and kind not in dict(run.trouble):
                run.trouble.append((kind, f"the kernel is tainted by an {kind}" if kind == "oops" else
                                    "the kernel is tainted by a warning"))
        self.tainted |= tainted

    def kernel_line(self, line, current):
        self.at_io_apic |= self.release is None and bool(_IO_APIC.search(line))
        for kind, pattern in _TROUBLE:
            found = pattern.search(line)
            if found:
                words = found[1].decode(errors="replace").strip()
                (current or self).trouble.append((kind, words))
                if kind == "oops" and not self.oopsed:
                    self.oopsed = (max(self.runs, default=0), words)
                return

    def forget_after_oops(self):
        """Drops the runs that began after the kernel had oopsed: another guest runs them again."""
        self.runs = {number: run for number, run in self.runs.items() if number <= self.oopsed[0]}
        self.ended = False


def read_console(raw):
    """Parses the bytes `raw` of a console."""
    console = Console()
    data = raw.replace(b"\r\n", b"\n")
    position = 0
    current = None
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
        if start < 0:
            console.kernel_line(line, current)
            continue
        try:
            current = console.event(json.loads(line[start + len(b"@@guest "):]), current)
        except ValueError:
            console.failures.append("a damaged line on the console")
    return console
