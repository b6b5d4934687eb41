"""--power-cut: mmapstress runs in a guest whose disk writes are recorded. From the record the disk is rebuilt as it
may have been at many moments; another guest mounts each, as after a power cut, and `mmapstress verify` checks that
everything is there that an fsync, fdatasync or msync had made durable."""
import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from .base import UNKNOWN, Failure, last_line, note
from .blklog import Log, Rebuilder, choose_cuts
from .console import read_console
from .cut_disk import CutDisk, copy_image
from .cut_results import add, count, empty_part, empty_row, judge
from .filesystems import FILESYSTEMS, Filesystem
from .guest import Guest, stamp_of
from .mutants import CONFIG, list_mutants
from .qemu import TIME_IS_UP, boot, busyness
from .results import end_in_words
from .rows import Run

LIES = 64  # the number of latest writes that a lying disk has not really flushed
_CUTS_OF_A_RECORD = 100
_RECORDS = 2  # times as many as there would be if every run had synced something early
_CUTS_OF_A_CONTROL = 50  # at most: if they do not catch it, another record is needed
_DISKS = 24  # of a guest that compares
_TRIES = 3  # boots for a cut
_SILENCE = 90  # seconds on an idle host: longer than the slowest journal takes, and than a comparison
_BEGIN = 5  # no cut before this part of the record: little has been synced there
_WORKLOADS = ("mix", "wild")
_STOPPED = "the guest did not get to it"


@dataclass(frozen=True)
class CutRow:
    """One line of the table: what is cut."""
    filesystem: Filesystem
    block: int
    options: str = ""  # mount options besides the filesystem's own
    lies: bool = False
    mutant: str = ""
    control: bool = False  # something must be lost
    most: int = 0  # its own limit of cuts, if it has one

    @property
    def name(self):
        words = [f"{self.filesystem.name}/{self.block}", self.options, "disk lies" if self.lies else "", self.mutant]
        return ", ".join(filter(None, words))


def controls(way):
    """The rows that must lose something; otherwise the whole result means nothing."""
    ext4 = FILESYSTEMS["ext4"]
    rows = [CutRow(FILESYSTEMS["ext4-writeback"], 4096, "nobarrier"), CutRow(ext4, 4096, lies=True)]
    if way != "kernel":
        rows.append(CutRow(ext4, 4096, mutant="fsync-does-not-wait"))
    return [replace(row, control=True, most=_CUTS_OF_A_CONTROL) for row in rows]


def list_rows(options):
    names = options.fs or ("ext4",)
    rows = [CutRow(FILESYSTEMS[name], max(set(FILESYSTEMS[name].blocks) & set(options.block_size or (1024, 4096))),
                   options.mount_options, options.disk_lies, options.mutant or "",
                   bool(options.disk_lies or options.mutant)) for name in names]
    return rows + (controls(options.way) if options.controls else [])


class PowerCuts:
    def __init__(self, options, machine, kernel_of, programs, temporary, cache):
        self.options = options
        self.machine = machine
        self.kernel_of = kernel_of  # by the name of a mutant, or ""
        self.programs = programs
        self.temporary = temporary
        self.kept = cache.path / "power-cuts"
        self.kept.mkdir(exist_ok=True)
        self.results = []

    def run(self, rows):
        for row in rows:
            result = empty_row(row.name, row.control)
            self.results.append(result)
            try:
                kernel = self.kernel_of(row.mutant)
                every = min(self.options.cuts, row.most or self.options.cuts)
                for number in range(_RECORDS * -(-every // _CUTS_OF_A_RECORD)):
                    missing = every - result["checked"] - len(result["untold"])
                    if missing <= 0:
                        break
                    add(result, self._record_and_cut(row, kernel, number, min(_CUTS_OF_A_RECORD, missing)))
                    note(f"{row.name}: {result['checked']} cuts compared, {len(result['alarms'])} alarms")
            except Failure as failure:
                result["failure"] = str(failure)

    def _record_and_cut(self, row, kernel, number, cuts):
        """The part of the row for one record, from the cache if it is there."""
        options = self.options
        what = [row.name, kernel.release, str(sorted(map(str, kernel.images.values()))), number, cuts, options.seeds,
                options.workload, options.ops, options.size, stamp_of(self.programs["engine"]),
                stamp_of(self.programs["init"])]
        kept = self.kept / f"{hashlib.sha256(' '.join(map(str, what)).encode()).hexdigest()[:24]}.json"
        if kept.exists() and not options.again:
            return json.loads(kept.read_text(encoding="utf-8"))
        work = self.temporary / f"cut-{len(self.results)}-{number}"
        work.mkdir()
        try:
            part = _Record(self, row, kernel, number, work).cut(cuts)
        finally:
            if not options.keep:
                shutil.rmtree(work, ignore_errors=True)
        if not any(one["reason"].startswith(_STOPPED) for one in part["untold"]):  # otherwise another run tries again
            kept.with_suffix(".part").write_text(json.dumps(part), encoding="utf-8")
            kept.with_suffix(".part").rename(kept)
        return part


class _Record:
    """One recorded run, and its cuts."""

    def __init__(self, cuts, row, kernel, number, work):
        self.options = cuts.options
        self.machine = cuts.machine
        self.programs = cuts.programs
        self.row = row
        self.kernel = kernel
        self.work = work
        self.image = next(iter(kernel.images.values()))
        self.seed = (self.options.seeds[0] if self.options.seeds else 1) + number
        workloads = self.options.workload or _WORKLOADS
        self.workload = workloads[number % len(workloads)]

    def _guest(self, name, runs):
        guest = Guest(self.work / name, self.programs["init"])
        for module in ("virtio_pci", "virtio_blk", "ext4", *self.row.filesystem.needed_modules):
            guest.add_module(self.kernel, module)
        shutil.copy(self.programs["engine"], guest.root / "mmapstress")
        guest.set("runs", runs)
        guest.set("writeback", 1)
        guest.set("timeout", self.options.timeout)
        return guest

    def _settings(self, disk):
        options = ",".join(filter(None, (self.row.filesystem.options, self.row.options)))
        return {"fs": self.row.filesystem.mount_type, "options": options, "disk": f"{disk}1", "notebook": f"{disk}2"}

    def _record(self, base, disk, log):
        guest = self._guest("recorded", 1)
        given = {"OPS": self.options.ops or "4000", "SIZE": self.options.size}
        guest.add_run(1, Run("1", self.workload, (
            "MMAPSTRESS_REPORT=/note/report.json", f"MMAPSTRESS_WORKLOAD={self.workload}", f"MMAPSTRESS_SEED={self.seed}",
            *(f"MMAPSTRESS_{name}={value}" for name, value in given.items() if value))), self._settings("vda"))
        (guest.root / "runs/1/verify").unlink()
        guest.pack(self.work / "initramfs")
        console = self.work / "console"
        for tries_left in reversed(range(_TRIES)):
            copy_image(base, disk)
            log.write_bytes(b"")
            status, said = boot(self.machine, self.image, self.work / "initramfs", [disk], console,
                                self.options.timeout + 120, log=log, silence=self.options.timeout + 30)
            if status != TIME_IS_UP or not tries_left:
                break
            note(f"{self.row.name}: recorded once more")
        read = read_console(console.read_bytes())
        run = read.runs.get(1)
        if status != 0 or run is None or run.failures or run.programs.get("argv", {}).get("exit") not in (0, 1):
            why = (run.failures if run else []) or read.failures or [words for _, words in (run or read).trouble + read.trouble]
            ended = run.programs.get("argv") if run else None
            raise Failure(UNKNOWN, f"{self.row.name}: the recorded run " + (
                f"failed: {why[0]}" if why else end_in_words(ended) if ended else
                f"failed: last on its console: {read.last_line or last_line(said)}"))
        return read.release

    def cut(self, count):
        base, disk, log_file = self.work / "base", self.work / "disk", self.work / "log"
        cut_disk = CutDisk(self.row.filesystem, self.row.block, base, self.options.disk)
        release = self._record(base, disk, log_file)
        log = Log(log_file)
        if log.cut_short:
            note(log.cut_short)
        if not any(entry.data for entry in log.entries):
            raise Failure(UNKNOWN, f"{self.row.name}: the record has no write")
        cuts = choose_cuts(log.entries, count, self.seed, first=len(log.entries) // _BEGIN, always=cut_disk.is_notebook,
                           lies=LIES if self.row.lies else 0)
        part = empty_part(release, sum(bool(entry.data) for entry in log.entries), 0)
        rebuilder = Rebuilder(log, base)
        for first in range(0, len(cuts), _DISKS):
            some = cuts[first:first + _DISKS]
            disks = []
            for number, cut in enumerate(some):
                rebuilder.advance(cut.durable)
                disks.append(self.work / f"cut-{number}")
                copy_image(base, disks[-1])
                rebuilder.add_pending(cut, disks[-1])
            self._compare(some, disks, part, log)
            part["cuts"] += len(some)
            if part["nothing_synced"] == part["cuts"]:
                break  # what has synced nothing by now seldom does later: another record is worth more
        return part

    def _compare(self, cuts, disks, part, log):
        """Compares the cuts. A guest sometimes stops, each time elsewhere: another guest gets the remaining cuts."""
        left = list(zip(cuts, disks))
        for tries_left in reversed(range(_TRIES)):
            read = self._boot_and_compare([disk for _, disk in left])
            again = []
            for number, (cut, disk) in enumerate(left, 1):
                run = read.runs.get(number)
                if tries_left and not (run and run.complete):
                    again.append((cut, disk))
                else:
                    count(part, _told(read, number), describe(cut, log), seed=self.seed, workload=self.workload)
            left = again
            if not left:
                return
            note(f"{self.row.name}: {len(left)} cuts once more; last on the console: {read.last_line}")

    def _boot_and_compare(self, disks):
        guest = self._guest("compared", len(disks))
        for number, _ in enumerate(disks, 1):
            guest.add_run(number, Run(str(number), "verify", (
                "MMAPSTRESS_DIR=/mnt/run-1", "MMAPSTRESS_REPORT=/note/report.json",
                "MMAPSTRESS_VERIFY_REPORT=@RUN@/report.json"), argv=("/mmapstress", "verify")),
                self._settings(f"vd{chr(ord('a') + number - 1)}") | {"check": 1})
        guest.pack(self.work / "initramfs")
        console = self.work / "console"
        boot(self.machine, self.image, self.work / "initramfs", disks, console,
             60 + len(disks) * (self.options.timeout + 60), silence=_SILENCE * busyness())
        shutil.rmtree(guest.root)
        return read_console(console.read_bytes())


def describe(cut, log):
    """Describes the moment: what was certain, and which writes were missing."""
    kept = dict(cut.kept)
    missing = [f"sector {entry.sector}+{entry.count}" + (" (torn)" if number in kept else "")
               for number, entry in enumerate(log.entries[cut.durable:cut.moment], cut.durable)
               if entry.data and kept.get(number, ()) is not None]
    lost = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    return (f"after entry {cut.moment} of {len(log.entries)}, certain up to {cut.durable}; "
            + (f"missing: {lost}" if missing else "no write was missing"))


def _told(console, number):
    """The result of the comparison of one cut."""
    run = console.runs.get(number)
    if run is None or not run.complete:
        return {"verdict": "unknown", "reason": f"{_STOPPED}; last on its console: {console.last_line}"}
    trouble = [words for kind, words in run.trouble if kind != "warning"]
    if run.failures or trouble:
        return {"verdict": "unknown", "reason": (run.failures + trouble)[0]}
    return judge(run.programs.get("argv")["exit"], run.reports.get("argv", b""),
                 run.reports.get("output", b"").decode(errors="replace"))


def mutant_patch(name):
    """The configuration and the patches of a mutant's kernel."""
    return CONFIG, tuple(mutant.patch for mutant in list_mutants((name,))) if name else ()
