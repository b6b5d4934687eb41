"""Rows: one row is one boot, of a kernel with one filesystem, block size and fix, and several runs. A row
is written FILESYSTEM/BLOCK/FIX[/CONTRACT]."""
import concurrent.futures
import fnmatch
import shutil
from dataclasses import dataclass
from pathlib import Path

from .base import note, processes, usage_error
from .console import read_console
from .filesystems import FILESYSTEMS, Filesystem, make_disk
from .guest import Guest
from .qemu import boot
from .results import row_of

CONTRACTS = ("linux-2.6.19", "linux-2.6.20")
# Workloads that are sure to lose something where something can be lost.
_SURE_ON_REISERFS = ("recipe", "linus")  # only blocks that a write(2) has just allocated join its ordered
_SURE_ON_PARTIALFS = ("recipe", "linus", "mix")  # list, and these write into holes


@dataclass(frozen=True)
class Run:
    label: str
    environment: tuple  # of the engine
    schedule: Path | None = None


@dataclass(frozen=True)
class Row:
    filesystem: Filesystem
    block: int
    fix: str  # undone, present, or unknown: as built
    contract: str | None = None  # of a partialfs over the filesystem

    @property
    def name(self):
        return f"{self.filesystem.name}/{self.block}/{self.fix}"

    def expectation(self, way, workload, given):
        """damage, clean or None; `given`: what the user expects, as (pattern, word), the last counts."""
        result = self._expectation(way, workload)
        for pattern, word in given:
            if pattern is None or any(fnmatch.fnmatchcase(name, pattern)
                                      for name in (self.name, f"{self.name}/{self.contract or 'none'}")):
                result = word
        return result

    def _expectation(self, way, workload):
        if self.contract == "linux-2.6.19":
            return "damage" if workload in _SURE_ON_PARTIALFS else None
        if self.contract:
            return "clean"
        if way == "kernel":
            return None
        if self.filesystem.name == "reiserfs" and self.fix == "undone":
            return "damage" if workload in _SURE_ON_REISERFS else None
        return "clean"


def list_rows(options):
    """The rows that the options ask for; a usage error if there are none."""
    fixes = ("unknown",)
    default = "ext3"
    if options.way != "kernel":
        fixes = (options.fix,) if options.fix in ("undone", "present") else ("undone", "present")
        default = "reiserfs"
    blocks = options.block_size or (1024, 4096)
    if options.partialfs:
        default = "ext4"
        blocks = options.block_size or (4096,)
        if options.way != "kernel" and not options.fix:
            fixes = ("present",)
    names = options.fs or (tuple(FILESYSTEMS) if options.matrix else (default,))
    rows = [Row(FILESYSTEMS[name], block, fix, contract)
            for name in names for block in blocks if block in FILESYSTEMS[name].blocks
            for fix in fixes for contract in options.partialfs or (None,)]
    if not rows:
        raise usage_error(f"{','.join(names)} has no block size of {','.join(map(str, blocks))}")
    return rows


def list_runs(options):
    """One run for each schedule, or for each seed."""
    if options.schedule:
        return [Run(path.name, ("MMAPSTRESS_SCHEDULE=@RUN@/schedule",), path) for path in options.schedule]
    settings = tuple(f"MMAPSTRESS_{name.upper()}={value}" for name in ("size", "files", "ops", "duration")
                     if (value := getattr(options, name)))
    return [Run(str(seed), (f"MMAPSTRESS_WORKLOAD={options.workload}", f"MMAPSTRESS_SEED={seed}", *settings))
            for seed in options.seeds]


class Booter:
    """Boots rows."""

    def __init__(self, options, machine, kernel, programs, temporary):
        self.options = options
        self.machine = machine
        self.kernel = kernel
        self.programs = programs  # init, engine and partialfs
        self.temporary = temporary
        self.runs = list_runs(options)

    def prepare(self, row, work):
        """The guest of a row, with nothing to do yet, and its disk."""
        work.mkdir()
        disk = work / "disk"
        make_disk(row.filesystem, row.block, disk, self.options.disk)
        guest = Guest(work / "root", self.programs["init"])
        guest.add_kernel_parts(self.kernel, row.filesystem, row.fix)
        guest.set("fs", row.filesystem.name)
        guest.set("options", row.filesystem.options)
        return guest, disk

    def boot_row(self, row):
        """Boots one row: what came of it, as results.row_of has it."""
        options, work = self.options, self.temporary / f"{row.name}-{row.contract}".replace("/", "-")
        note(f"{row.name.replace('/', ', ')}, {len(self.runs)} runs")
        guest, disk = self.prepare(row, work)
        guest.add_runs(self.programs["engine"], self.runs)
        guest.set("timeout", options.timeout)
        if options.background_writeback:
            guest.set("writeback", 1)
        if row.contract:
            guest.add_partialfs(self.kernel, self.programs["partialfs"], row.contract, row.block)
        guest.pack(work / "initramfs")
        console = work / "console"
        status, said = boot(self.machine, self.kernel.images[row.fix], work / "initramfs", disk, console,
                            60 + len(self.runs) * (2 * options.timeout + 60))
        result = row_of(self.description(row), read_console(console.read_bytes()), status, said)
        if not options.keep:
            shutil.rmtree(work)
        return result

    def description(self, row):
        options = self.options
        workload = "replay" if options.schedule else options.workload
        return {"way": self.kernel.way, "kernel": self.kernel.release, "filesystem": row.filesystem.name,
                "block_size": row.block, "fix": row.fix, "contract": row.contract, "workload": workload,
                "smp": self.machine.smp,
                "expect": row.expectation(self.kernel.way, workload, options.expect),
                "runs": [run.label for run in self.runs]}

    def boot_rows(self, rows):
        """All rows, --jobs at a time; the results in their order."""
        pool = concurrent.futures.ThreadPoolExecutor(self.options.jobs)
        try:
            return list(pool.map(self.boot_row, rows))
        except BaseException:
            processes.end_all()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

