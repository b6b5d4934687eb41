"""What is booted and run: a guest has a kernel with one filesystem, block size and fix, and is written
FILESYSTEM/BLOCK/FIX[/CONTRACT]. Its runs of one workload are a row of the table."""
import fnmatch
from dataclasses import dataclass
from pathlib import Path

from .base import usage_error
from .filesystems import FILESYSTEMS, Filesystem
from .sources import CONFIGS

CONTRACTS = ("linux-2.6.19", "linux-2.6.20")
# Workloads that certainly lose something where stores can be lost.
_SURE_ON_REISERFS = ("recipe", "linus")  # only blocks that a write(2) has just allocated join its ordered
_SURE_ON_PARTIALFS = ("recipe", "linus", "mix")  # list, and these write into holes
_SURE_ON_DEVICES = ("recipe", "mix")  # without buffer heads
TIMED = ("wild", "gup")  # run for a time
MATRIX_WORKLOADS = ("recipe", "mix", "wild", "gup")


@dataclass(frozen=True)
class Run:
    label: str
    workload: str  # or "replay"
    environment: tuple  # of the engine
    schedule: Path | None = None
    argv: tuple = ()  # another program than the engine; nothing is compared after it
    seconds: int = 0  # the time limit, if it has one of its own


@dataclass(frozen=True)
class Setup:
    filesystem: Filesystem
    block: int
    fix: str  # undone, present, buffer-heads (of --config blockdev), or unknown: as built
    contract: str | None = None  # of a partialfs over the filesystem

    @property
    def name(self):
        return f"{self.filesystem.name}/{self.block}/{self.fix}"

    def expectation(self, way, workload, given):
        """A verdict or None; `given`: the user's expectations, as (pattern, word); the last match counts."""
        result = self._expectation(way, workload)
        for pattern, word in given:
            if pattern is None or any(fnmatch.fnmatchcase(name, pattern)
                                      for name in (self.name, f"{self.name}/{self.contract or 'none'}",
                                                   f"{self.name}/{workload}")):
                result = word
        return result

    def _expectation(self, way, workload):
        if self.contract == "linux-2.6.19":
            return "damage" if workload in _SURE_ON_PARTIALFS else None
        if self.contract:
            return "clean"
        if way == "kernel":
            return None
        if self.filesystem.is_device and self.fix == "undone" and way == "source" and self.block < 4096:
            return "damage" if workload in _SURE_ON_DEVICES else None
        if self.filesystem.name == "reiserfs" and self.fix == "undone":
            return "damage" if workload in _SURE_ON_REISERFS else None
        return "clean"


def list_setups(options):
    """The setups that the options select; a usage error if there are none."""
    fixes = ("unknown",)
    default = "ext3"
    if options.way != "kernel":
        known = tuple(CONFIGS[options.config])
        fixes = known if options.fix in (None, "both") else (options.fix,)
        default = "blockdev" if options.config == "blockdev" else "reiserfs"
    blocks = options.block_size or ((512,) if (options.fs or (default,)) == ("blockdev",) else (1024, 4096))
    if options.partialfs:
        default = "ext4"
        blocks = options.block_size or (4096,)
        if options.way != "kernel" and not options.fix:
            fixes = ("present",)
    first_tier = tuple(name for name, filesystem in FILESYSTEMS.items() if filesystem.tier == 1)
    names = options.fs or (first_tier if options.matrix else (default,))
    setups = [Setup(FILESYSTEMS[name], block, fix, contract)
              for name in names for block in blocks if block in FILESYSTEMS[name].blocks
              for fix in fixes for contract in options.partialfs or (None,)]
    if not setups:
        raise usage_error(f"{','.join(names)} has no block size of {','.join(map(str, blocks))}")
    return setups


def list_runs(options, workloads):
    """One run for each schedule, or for each workload and seed; a timed workload has one run, as long as the options
    say."""
    if options.schedule:
        return [Run(path.name, "replay", ("MMAPSTRESS_SCHEDULE=@RUN@/schedule",), path) for path in options.schedule]
    runs = []
    for workload in workloads:
        timed = workload in TIMED
        settings = {name: getattr(options, name) for name in ("size", "files", "ops", "duration")}
        if timed and not settings["duration"] and not settings["ops"]:
            settings["duration"] = "120s" if options.long else "20s"
        given = tuple(f"MMAPSTRESS_{name.upper()}={value}" for name, value in settings.items() if value)
        for seed in options.seeds or (range(1, 2) if timed else range(1, 11)):
            runs.append(Run(str(seed), workload, (f"MMAPSTRESS_WORKLOAD={workload}", f"MMAPSTRESS_SEED={seed}", *given)))
    return runs
