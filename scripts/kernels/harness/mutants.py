"""--mutants: seeded kernel bugs. Each is a patch of source/mutants; its kernel is built and booted, and mmapstress
runs there until it finds something or the time is up. Results stay in the cache: an interrupted run continues where
it ended."""
import concurrent.futures
import hashlib
import json
import re
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from .base import UNKNOWN, Failure, note, processes, usage_error
from .booter import Batch, Booter
from .filesystems import FILESYSTEMS
from .guest import stamp_of
from .kernels import Kernel
from .peers import find_peers, peer_verdict
from .rows import Run, Setup
from .sources import SOURCE

CONFIG = ("mutants.config",)
_KEYS = ("Breaks", "Function", "Needs", "Filesystem", "Processors", "Disk", "Guest", "Masked", "Blind")
# Keys with a fixed set of values; the first is the value if a header lacks the key.
_CHOICES = {"Processors": ("1", "2"), "Disk": ("", "slow-reads", "slow-writes"),
            "Guest": ("", "compact", "drop-caches"), "Blind": ("", "yes")}
_FOUND_OUT = ("found_by", "seconds", "damage", "reason")
_MASKED = "1min"  # for a mutant of which no effect is expected
_SPARE = 300  # seconds that a guest may take longer than the duration: rounds end late, and the comparison follows


@dataclass(frozen=True)
class Mutant:
    """A patch's header: what it breaks and what is needed to notice it."""
    name: str
    patch: str  # below source/
    breaks: str
    function: str
    needs: str
    filesystem: str
    block: int
    processors: int = 1
    disk: str = ""  # slow-reads, slow-writes: these take some milliseconds
    guest: str = ""  # what the guest does repeatedly beside the stress
    masked: str = ""  # why it cannot be noticed
    blind: bool = False  # written by an author who had not seen the workloads


def read_mutant(path):
    """The mutant described by a patch's header; a usage error with file and line."""
    fields = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("--- "):
            break
        key, colon, value = line.partition(":")
        if not colon or key not in _KEYS:
            raise usage_error(f"{path}:{number}: a line of a mutant's header begins with one of {', '.join(_KEYS)}")
        fields[key] = value.strip()
    for key in ("Breaks", "Function", "Filesystem"):
        if not fields.get(key):
            raise usage_error(f"{path}:1: the header has no {key}")
    name, _, block = fields["Filesystem"].partition("/")
    if name not in FILESYSTEMS or block not in map(str, FILESYSTEMS[name].blocks):
        raise usage_error(f"{path}: Filesystem takes NAME/BLOCK, not '{fields['Filesystem']}'")
    for key, choices in _CHOICES.items():
        if fields.setdefault(key, choices[0]) not in choices:
            raise usage_error(f"{path}: {key} takes {' or '.join(filter(None, choices))}, not '{fields[key]}'")
    return Mutant(path.stem, f"mutants/{path.name}", fields["Breaks"], fields["Function"], fields.get("Needs", ""), name,
                  int(block), int(fields["Processors"]), fields["Disk"], fields["Guest"], fields.get("Masked", ""),
                  bool(fields["Blind"]))


def list_mutants(wanted, directory=None):
    """The mutants with these names, or all; a usage error for an unknown name."""
    paths = {path.stem: path for path in sorted((directory or SOURCE / "mutants").glob("*.patch"))}
    for name in wanted or ():
        if name not in paths:
            raise usage_error(f"no mutant '{name}': {', '.join(paths)}")
    return [read_mutant(paths[name]) for name in wanted or paths]


class Slots:
    """The host's processors, shared by guests that use one or more each."""

    def __init__(self, count):
        self.count = count
        self._free = count
        self._changed = threading.Condition()

    def take(self, wanted):
        with self._changed:
            self._changed.wait_for(lambda: self._free >= min(wanted, self.count))
            self._free -= min(wanted, self.count)

    def give(self, taken):
        with self._changed:
            self._free += min(taken, self.count)
            self._changed.notify_all()


class Hunt:
    """Builds the mutants' kernels one after another, and boots those that are built."""

    def __init__(self, options, machine, tree, programs, temporary, cache):
        self.options = options
        self.machine = machine
        self.tree = tree
        self.programs = programs
        self.temporary = temporary
        self.kept = cache.path / "mutants"
        self.kept.mkdir(exist_ok=True)
        self.peers = find_peers() if options.peers else []
        self.slots = Slots(options.jobs)
        self.results = {}  # by name, in the order of completion

    def _duration(self, mutant):
        return min(_MASKED, self.options.duration, key=seconds_of) if mutant.masked else self.options.duration

    def _record(self, mutant, peer=None):
        """Where the result of mmapstress, or of the peer, is kept: a file for each combination of kernel, program,
        duration and seed."""
        program = (peer.stamp, *peer.argv(0), self.options.peer_duration) if peer else (
            stamp_of(self.programs["engine"]), self._duration(mutant), str(self.options.seeds))
        what = [self.tree.image_path(CONFIG, (mutant.patch,)).name, mutant.disk, stamp_of(self.programs["init"]), *program]
        name = f"{mutant.name}-{peer.name}" if peer else mutant.name
        return self.kept / f"{name}-{hashlib.sha256(' '.join(map(str, what)).encode()).hexdigest()[:16]}.json"

    def _known(self, record):
        """The result of an earlier run, or None."""
        return json.loads(record.read_text(encoding="utf-8")) if record.exists() and not self.options.again else None

    def _keep(self, record, result):
        if result["verdict"] != "could not tell":
            record.with_suffix(".part").write_text(json.dumps(result), encoding="utf-8")
            record.with_suffix(".part").rename(record)

    def run(self, mutants):
        """Returns the results in the order of the mutants. After an interruption `results` has those so far."""
        pool = concurrent.futures.ThreadPoolExecutor(self.slots.count)
        waiting = []
        try:
            for mutant in mutants:
                own = self._known(self._record(mutant))
                others = {peer.name: self._known(self._record(mutant, peer)) for peer in self.peers}
                missing = [peer for peer in self.peers if others[peer.name] is None]
                if own:  # its header may have changed since
                    self.results[mutant.name] = own | _described(mutant) | {key: own[key] for key in _FOUND_OUT} | {
                        "peers": {name: known["words"] for name, known in others.items() if known}}
                if own and not missing:
                    continue
                try:
                    image = self.tree.image(CONFIG, (mutant.patch,))
                except Failure as failure:
                    self.results[mutant.name] = _untold(mutant, str(failure))
                    continue
                waiting.append(pool.submit(self._boot, mutant, image, not own, missing))
            for future in waiting:
                future.result()
        except BaseException:
            processes.end_all()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return [self.results[mutant.name] for mutant in mutants]

    def _boot(self, mutant, image, with_engine, peers):
        self.slots.take(mutant.processors)
        try:
            own, others = self._hunt(mutant, image, with_engine, peers)
        finally:
            self.slots.give(mutant.processors)
        if own:
            self._keep(self._record(mutant), own)
            self.results[mutant.name] = own
        for peer in peers:
            self._keep(self._record(mutant, peer), others[peer.name])
            self.results[mutant.name]["peers"][peer.name] = others[peer.name]["words"]
        result = self.results[mutant.name]
        note(f"{mutant.name}: {result['verdict']}"
             + (f" by {result['found_by']} after {result['seconds']:.0f} s" if result["found_by"] else "")
             + "".join(f"; {name}: {words}" for name, words in result["peers"].items()))

    def _hunt(self, mutant, image, with_engine, peers):
        """The result of mmapstress, or None if it is not to run, and the result of each of the peers, by name."""
        options = self.options
        seed = options.seeds[0] if options.seeds else 1
        runs = [Run(str(seed), "all", ("MMAPSTRESS_WORKLOAD=all", f"MMAPSTRESS_SEED={seed}",
                                       f"MMAPSTRESS_DURATION={self._duration(mutant)}"))] if with_engine else []
        seconds = seconds_of(options.peer_duration)
        runs += [Run(peer.name, peer.name, (), argv=peer.argv(seconds), seconds=peer.limit(seconds)) for peer in peers]
        machine = replace(self.machine, smp=mutant.processors, slow=mutant.disk.removeprefix("slow-").removesuffix("s"))
        kernel = Kernel("source", self.tree.release, {"undone": image})
        booter = Booter(options, machine, kernel, self.programs, runs, self.temporary)
        booter.timeout = seconds_of(options.duration) + _SPARE
        booter.guest_programs = [peer.path for peer in peers]
        booter.more_settings = {"beside": mutant.guest} if mutant.guest else {}
        setup = Setup(FILESYSTEMS[mutant.filesystem], mutant.block, "undone")
        batch = Batch([setup], self.temporary / mutant.name)
        booter.boot_batch(batch)
        ended = {run.label: boot.console.runs[number]
                 for number, (_, run) in enumerate(batch.runs, 1)
                 for boot in batch.boots if number in boot.console.runs}
        return (told(mutant, booter.rows[setup][0]) if with_engine else None,
                {peer.name: peer_verdict(ended.get(peer.name)) for peer in peers})


def seconds_of(duration):
    """The seconds of a duration in mmapstress' syntax."""
    found = re.fullmatch(r"(\d+)(ms|s|min|h)", duration)
    if not found:
        raise usage_error(f"--duration takes a time with ms, s, min or h, not '{duration}'")
    return -(-int(found[1]) * {"ms": 1, "s": 1000, "min": 60000, "h": 3600000}[found[2]] // 1000)


def _described(mutant):
    return {"mutant": mutant.name, "breaks": mutant.breaks, "function": mutant.function, "needs": mutant.needs,
            "filesystem": f"{mutant.filesystem}/{mutant.block}", "masked": mutant.masked, "blind": mutant.blind,
            "found_by": None, "seconds": None, "damage": None, "reason": None, "peers": {}}


def _untold(mutant, reason):
    return _described(mutant) | {"verdict": "could not tell", "reason": reason}


def told(mutant, row):
    """The mutant's result, from a row of run.sh."""
    result = _described(mutant) | {"kernel": row["kernel"]}
    one = row["results"][0] if row["results"] else {}
    if row["verdict"] == "damage":
        return result | {"verdict": "found", "found_by": one.get("workload") or "the comparison after the remount",
                         "seconds": one.get("seconds"), "damage": row["first_damage"]}
    if one.get("gone"):  # the page cache, or a direct read, was wrong: that is what the bug does
        return result | {"verdict": "found", "found_by": one["workload"], "seconds": one.get("seconds"),
                         "damage": one["gone"][0]}
    # A last round that ended before its first store has nothing to compare.
    if row["verdict"] == "clean" or (row["verdict"] == "unknown" and one.get("ran") == "clean"):
        return result | {"verdict": "not found", "seconds": one.get("seconds")}
    if row["verdict"] in ("oops", "hang", "warning"):
        return result | {"verdict": row["verdict"], "seconds": one.get("seconds"), "reason": row["reasons"][0]}
    return _untold(mutant, (row["reasons"] or ["no reason"])[0])


def _cells(result, peers):
    found = result["found_by"] or ("-" if result["verdict"] != "found" else "?")
    after = f"{result['seconds']:.0f} s" if result["seconds"] is not None else "-"
    verdict = result["verdict"] + (", masked" if result["masked"] else "") + (", blind" if result["blind"] else "")
    return [result["mutant"], result["breaks"], result["function"], result["filesystem"], result["needs"] or "-",
            found, after, *(result["peers"].get(peer, "-") for peer in peers), verdict]


def table(results):
    peers = list(dict.fromkeys(peer for result in results for peer in result["peers"]))
    lines = [["mutant", "what is broken", "function", "filesystem", "takes", "found by", "after", *peers, "result"],
             *(_cells(result, peers) for result in results)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    out = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    out += [f"{result['mutant']}: {result['reason']}" for result in results if result["reason"]]
    seen = [result for result in results if not result["masked"]]
    for title, some in (("that can be noticed", seen), ("of these blind", [one for one in seen if one["blind"]]),
                        ("masked", [result for result in results if result["masked"]])):
        if some:
            found = sum(result["verdict"] == "found" for result in some)
            out.append(f"found of the {len(some)} mutants {title}: {found}")
    return "\n".join(out) + "\n"


def exit_code(results):
    """0 every mutant that can be noticed was found, 1 one was not, 3 one could not be told."""
    if any(result["verdict"] == "could not tell" for result in results):
        return UNKNOWN
    return 0 if all(result["verdict"] == "found" or result["masked"] for result in results) else 1


def as_json(results):
    return json.dumps({"format": "partialfs-kernel-mutants", "version": 1, "mutants": results}, indent=1) + "\n"


def deliver(options, mutants, hunt):
    results = [hunt.results[mutant.name] for mutant in mutants if mutant.name in hunt.results]
    if options.json:
        Path(options.json).write_text(as_json(results), encoding="utf-8")
    if results:
        print(as_json(results) if options.format == "json" else table(results), end="")
    return exit_code(results)
