"""Boots setups, several in one guest with a disk each, and makes rows of the results."""
import concurrent.futures
import itertools
import shutil

from .base import UNKNOWN, DiskFull, Failure, note, processes
from .console import read_console
from .filesystems import DAEMONS, make_disk
from .guest import Guest
from .qemu import OOPSED, TIME_IS_UP, boot
from .row_results import Boot, row_of, row_without_boot
from .smallest import add_smallest

_MOST_DISKS = 8  # of one guest
_SLACK = 60  # seconds, besides its programs' time, that a boot and each run of it may take
_STOPPED_BOOTS = 2  # of one batch that are repeated: QEMU's translator sometimes stops, each time at another place


class Batch:
    """The setups of one guest, all with its kernel. A setup that cannot be made drops out."""

    def __init__(self, setups, work):
        self.setups = setups
        self.work = work
        self.failures = {}  # why a setup dropped out
        self.runs = []  # (setup, run), in the order of their numbers in the guest, which begin with 1
        self.boots = []

    def disk(self, setup):
        return self.work / f"disk-{self.setups.index(setup)}"

    def disks(self):
        return [self.disk(setup) for setup in self.setups if setup not in self.failures]


class Booter:
    def __init__(self, options, machine, kernel, programs, runs, temporary):
        self.options = options
        self.machine = machine
        self.kernel = kernel
        self.programs = programs  # by name: init, engine, and what is mounted over the disk
        self.runs = runs
        self.temporary = temporary
        self.timeout = options.timeout  # seconds for each program of a run
        self.more_settings = {}  # settings of every run
        self.guest_programs = []  # programs of the host that go to the guest's /bin
        self.rows = {}  # by setup, in the order of completion

    def prepare(self, batch):
        """The guest of a batch, without any runs yet, and its disks."""
        batch.work.mkdir()
        guest = Guest(batch.work / "root", self.programs["init"])
        for name in ("virtio_pci", "virtio_blk"):
            guest.add_module(self.kernel, name)
        for setup in batch.setups:
            try:
                make_disk(setup.filesystem, setup.block, batch.disk(setup), self.options.disk)
                # Only for setups that can be made: a module that does not load ends the boot for all.
                for name in setup.filesystem.needed_modules:
                    guest.add_module(self.kernel, name)
            except Failure as failure:
                batch.failures[setup] = failure
        guest.add_probe(self.kernel.probes.get(batch.setups[0].fix))
        return guest

    def settings(self, guest, batch, setup):
        """What a run of the setup needs to know about it."""
        filesystem, number = setup.filesystem, batch.disks().index(batch.disk(setup))
        settings = {"fs": filesystem.mount_type,
                    "options": ",".join(filter(None, (filesystem.options, self.options.mount_options)))}
        if self.machine.bus == "virtio":
            settings["disk"] = f"vd{'abcdefgh'[number]}"
        if filesystem.is_device:
            settings["device"] = 1
        if filesystem.is_flash:
            settings["flash"] = 1
        if filesystem.over == "partialfs" or setup.contract:
            settings["daemon"] = guest.add_partialfs(self.kernel, self.programs["partialfs"],
                                                     setup.contract or "linux-2.6.20", setup.block)
        elif filesystem.over:
            settings |= {"over": filesystem.over, "over_options": filesystem.over_options}
            if filesystem.over in DAEMONS:
                settings["daemon"] = self.add_daemon(guest, *DAEMONS[filesystem.over])
        return settings | self.more_settings

    def add_daemon(self, guest, name, *words):
        if name not in self.programs:
            raise Failure(UNKNOWN, f"{name} is not installed (scripts/install-deps.sh --kernels)")
        return guest.add_daemon(self.programs[name], *words)

    def boot_batch(self, batch):
        """Adds the rows of its setups: one for each setup and workload."""
        note("; ".join(f"{setup.name.replace('/', ', ')}" for setup in batch.setups) + f": {len(self.runs)} runs each")
        try:
            guest = self.prepare(batch)
            for setup in batch.setups:
                try:
                    settings = self.settings(guest, batch, setup) if setup not in batch.failures else None
                except Failure as failure:
                    batch.failures[setup] = failure
                for run in self.runs if setup not in batch.failures else ():
                    batch.runs.append((setup, run))
                    guest.add_run(len(batch.runs), run, settings | ({"timeout": run.seconds} if run.seconds else {}))
            if batch.runs:
                self._boot(guest, batch)
        except Failure as failure:  # the whole boot failed
            batch.failures = {setup: failure for setup in batch.setups} | batch.failures
        for setup in batch.setups:
            self.rows[setup] = self._rows(setup, batch)
            if self.options.minimise:
                add_smallest(self, batch, setup, self.rows[setup])
        if not self.options.keep:
            shutil.rmtree(batch.work, ignore_errors=True)

    def _rows(self, setup, batch):
        failure, rows = batch.failures.get(setup), []
        for workload in dict.fromkeys(run.workload for run in self.runs):
            description = {
                "way": self.kernel.way, "kernel": self.kernel.release, "filesystem": setup.filesystem.name,
                "block_size": setup.block, "fix": setup.fix, "contract": setup.contract, "workload": workload,
                "smp": self.machine.smp, "expect": setup.expectation(self.kernel.way, workload, self.options.expect)}
            labels = {number: run.label for number, (of, run) in enumerate(batch.runs, 1)
                      if of == setup and run.workload == workload}
            rows.append(row_of(description, labels, batch.boots) if not failure else row_without_boot(
                description, "unknown" if isinstance(failure, DiskFull) else "absent", str(failure),
                self.options.matrix and not self.options.fs))
        return rows

    def _boot(self, guest, batch):
        """Boots until every run was tried. A run that hangs or oopses ends its boot; the next boot begins with the
        following run, on new disks. A kernel that stops at its IO-APIC is booted again without it; one that stops
        before its first process, which says nothing about any run, is booted again as it is."""
        options, work, count, first, words = self.options, batch.work, len(batch.runs), 1, []
        stopped = 0
        shutil.copy(self.programs["engine"], guest.root / "mmapstress")
        for program in self.guest_programs:
            guest.add_program(program)
        guest.set("runs", count)
        guest.set("timeout", self.timeout)
        if options.background_writeback:
            guest.set("writeback", 1)
        guest.pack(work / "initramfs")
        one_run = 2 * max([self.timeout, *(run.seconds or 0 for _, run in batch.runs)]) + _SLACK
        while True:
            console = work / f"console-{len(batch.boots) + 1}"
            status, said = boot(self.machine, self.kernel.images[batch.setups[0].fix], work / "initramfs",
                                batch.disks(), console, _SLACK + (count + 1 - first) * one_run,
                                [*words, f"guest.first={first}"], silence=one_run)
            ended = Boot(read_console(console.read_bytes()), status, said)
            if ended.console.at_io_apic and not words and ended.console.release is None:
                note("the kernel stopped at its IO-APIC: once more with noapic")
                words.append("noapic")
                continue
            if status == TIME_IS_UP and ended.console.release is None and stopped < _STOPPED_BOOTS:
                note(f"the guest stopped while it booted: once more; last on its console: {ended.console.last_line}")
                stopped += 1
                continue
            if status == OOPSED:
                ended.console.forget_after_oops()
            batch.boots.append(ended)
            if ended.console.ended or not first <= ended.last_run < count:
                return
            first = ended.last_run + 1
            for setup in dict.fromkeys(setup for setup, _ in batch.runs[first - 1:]):
                make_disk(setup.filesystem, setup.block, batch.disk(setup), options.disk)

    def batches(self, setups):
        """Puts as many setups in a guest as --jobs leaves to each; only one with an IDE bus, where disks have no
        names."""
        most = min(_MOST_DISKS, -(-len(setups) // self.options.jobs)) if self.machine.bus == "virtio" else 1
        parts = []
        for fix in dict.fromkeys(setup.fix for setup in setups):
            of_fix = [setup for setup in setups if setup.fix == fix]
            parts += [of_fix[first:first + most] for first in range(0, len(of_fix), most)]
        return [Batch(part, self.temporary / f"boot-{number}") for number, part in enumerate(parts, 1)]

    def boot_all(self, setups):
        """All setups, --jobs guests at a time. Returns the rows in the order of the setups."""
        pool = concurrent.futures.ThreadPoolExecutor(self.options.jobs)
        try:
            for _ in pool.map(self.boot_batch, self.batches(setups)):
                pass
        except BaseException:
            processes.end_all()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return self.rows_in_order(setups)

    def rows_in_order(self, setups):
        return list(itertools.chain.from_iterable(self.rows.get(setup, ()) for setup in setups))
