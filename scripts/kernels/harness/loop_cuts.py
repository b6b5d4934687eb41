"""loop-cuts.sh: power cuts for the kernel that runs here, without QEMU. mmapstress runs on a loop device while
reflinks of the device's file are made; each is what a crash at that moment would leave if the disk had no cache.
They are mounted afterwards, and `mmapstress verify` checks that everything synced is there."""
import contextlib
import errno
import fcntl
import os
import platform
import random
import subprocess
import sys
import time
from pathlib import Path

from .base import UNKNOWN, Failure, Stopped, attempt, can_write, command, need, need_room, note, processes, run_as, talk, \
    temporary_directory, usage_error
from .cut_disk import CutDisk
from .cut_results import add, count, deliver, empty_part, empty_row, judge
from .filesystems import FILESYSTEMS
from .options import Parser, add_report, list_of, number, one_of, seconds
from .run import find_program

_FICLONE = 0x40049409
_BTRFS_FORGET = 0x50009405
_CUTS_OF_A_RECORD = 20
_LONGEST_PAUSE = 0.2  # seconds between two cuts
_WORKLOADS = ("mix", "wild")
# Filesystems on a disk of their own.
_POSSIBLE = tuple(name for name, one in FILESYSTEMS.items() if one.is_on_disk)


def parser():
    what = Parser("loop-cuts.sh", description=(
        "Emulates power cuts for the kernel that runs here: mmapstress runs on a loop device whose file is in DIRECTORY,\n"
        "and meanwhile reflinks of that file are made. Each of them is mounted afterwards and verified. Needs root."),
        epilog="Exit status: 0 nothing lost and every control found, 1 something lost or a control not found, 2 wrong usage,\n"
               "3 could not tell.\n\nExample: scripts/kernels/loop-cuts.sh /mnt/btrfs --fs ext4,xfs --cuts 40")
    what.add_argument("directory", metavar="DIRECTORY",
                      help="a directory on a filesystem with reflinks: btrfs, or XFS with reflink=1")
    what.add_argument("--fs", metavar="LIST", default=("ext4",),
                      type=list_of(one_of(*_POSSIBLE, says="no filesystem '{}': " + ", ".join(_POSSIBLE))),
                      help="filesystems, separated by commas: " + ", ".join(_POSSIBLE) + " (ext4)")
    what.add_argument("--cuts", metavar="N", type=number("--cuts"), default=20, help="number of power cuts (%(default)s)")
    what.add_argument("--ops", metavar="N", type=number("--ops"), default=20000, help="operations of each run (%(default)s)")
    what.add_argument("--seed", metavar="N", type=number("--seed"), default=1, help="seed of the first run (%(default)s)")
    what.add_argument("--workload", metavar="LIST", type=lambda text: tuple(text.split(",")), default=_WORKLOADS,
                      help="workloads, separated by commas, which run in turn (mix,wild)")
    what.add_argument("--control", action="store_true",
                      help="add a row in which something must be lost: each cut is compared with the report of the next one")
    what.add_argument("--mmapstress", metavar="FILE", help="the program mmapstress (that in build/release, or else the installed one)")
    what.add_argument("--timeout", metavar="TIME", type=seconds("--timeout"), default=120,
                      help="how long one run may take, a number and s, min or h (2min)")
    add_report(what, ("text", "json"))
    what.add_argument("--keep", action="store_true", help="keep the temporary directory, with the cuts, in DIRECTORY")
    what.add_argument("--verbose", action="store_true", help="print each step")
    return what


def clone(source, target):
    """A reflink of `source`, taken at one moment, between two requests of the loop device."""
    with open(source, "rb") as old, open(target, "wb") as new:
        fcntl.ioctl(new, _FICLONE, old.fileno())


def check_reflinks(directory):
    source = directory / "one"
    source.write_bytes(bytes(1 << 16))
    try:
        clone(source, directory / "two")
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL):
            raise Failure(UNKNOWN, f"the filesystem of {directory.parent} has no reflinks: give a directory of a btrfs, or of "
                                   "an XFS made with -m reflink=1") from error
        raise
    for name in ("one", "two"):
        (directory / name).unlink()


class Partitions:
    """The two filesystems of an image, mounted: the one under test at `tested`, mmapstress' report at `note`."""

    def __init__(self, filesystem, disk, image, directory):
        self.filesystem = filesystem
        self.disk = disk
        self.image = image
        self.tested, self.note = directory / "tested", directory / "note"

    @contextlib.contextmanager
    def mounted(self):
        for place in (self.tested, self.note):
            place.mkdir(exist_ok=True)
        first, second = self.disk.partitions
        with self._mount(self.filesystem.mount_type, self.filesystem.options, first, self.tested):
            with self._mount("ext4", "nobarrier,dirsync", second, self.note):
                yield

    @contextlib.contextmanager
    def _mount(self, kind, options, part, place):
        words = ",".join(filter(None, ("loop", f"offset={part[0]}", f"sizelimit={part[1]}", "noatime", options)))
        command(["mount", "-t", kind, "-o", words, self.image, place], 120, f"cannot mount {self.image.name} as {kind}",
                pattern="mount: ")
        device = _device_of(place)
        try:
            yield
        finally:
            command(["umount", place], 120, f"cannot unmount {place.name}")
            if kind == "btrfs":
                _forget(device)


def _device_of(place):
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[4] == str(place):
            return words[words.index("-") + 2]
    return ""


def _forget(device):
    """Makes btrfs forget the device: it identifies devices by their contents, which are the same in all cuts."""
    with contextlib.suppress(OSError), open("/dev/btrfs-control", "rb") as control:
        fcntl.ioctl(control, _BTRFS_FORGET, bytearray(bytes(8) + device.encode().ljust(4088, b"\0")))


class Record:
    """One run of mmapstress, and the cuts made of it."""

    def __init__(self, options, filesystem, seed, workload, program, directory):
        self.options = options
        self.filesystem = filesystem
        self.seed = seed
        self.workload = workload
        self.program = program
        self.directory = directory
        self.cuts = []  # (image, a description of the moment)

    def make(self, most):
        """Runs mmapstress, and makes at most `most` cuts."""
        image = self.directory / "image"
        self.disk = CutDisk(self.filesystem, max(self.filesystem.blocks), image, 192)
        partitions = Partitions(self.filesystem, self.disk, image, self.directory)
        with partitions.mounted():
            run = partitions.tested / "run-1"
            run.mkdir()
            os.sync()  # the directory must be on disk before anything can be lost
            words = [self.program, "run", run, "--workload", self.workload, "--seed", str(self.seed), "--ops",
                     str(self.options.ops), "--keep", "--report", partitions.note / "report.json"]
            with open(self.directory / "said", "wb") as said, \
                    processes.started(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as process:
                self._cut_while(process, partitions, image, most)
        image.unlink()

    def _cut_while(self, process, partitions, image, most):
        dice, begin = random.Random(self.seed), time.monotonic()
        report, size = partitions.note / "report.json", None
        while process.poll() is None and len(self.cuts) < most:
            if time.monotonic() - begin > self.options.timeout:
                raise Failure(UNKNOWN, f"{self.workload}, seed {self.seed}: did not end within {self.options.timeout} s")
            time.sleep(dice.random() * _LONGEST_PAUSE)
            before = size
            with contextlib.suppress(FileNotFoundError):  # not there yet, or the run has just ended
                report.stat()
                size = report.with_name("report.json.progress").stat().st_size
            # The first size may be from before the report was on disk; later growth is not. And if nothing was added,
            # nothing has happened since the last cut.
            if before in (None, size):
                continue
            cut = self.directory / f"cut-{len(self.cuts)}"
            clone(image, cut)
            self.cuts.append((cut, f"{time.monotonic() - begin:.3f} s after the start"))
        if process.poll() not in (None, 0):  # damage before any cut is reported by the run itself
            said = (self.directory / "said").read_text(errors="replace").strip().splitlines()
            raise Failure(UNKNOWN, f"{self.workload}, seed {self.seed}: mmapstress ended with exit code {process.returncode}"
                                   f": {said[-1] if said else 'it said nothing'}")

    def compare(self, part):
        for cut, moment in self.cuts:
            count(part, self._told(cut), moment, seed=self.seed, workload=self.workload)

    def _told(self, cut):
        partitions = Partitions(self.filesystem, self.disk, cut, self.directory)
        report = self.directory / "verified.json"
        report.unlink(missing_ok=True)
        try:
            with partitions.mounted():
                (partitions.tested / "run-1").mkdir(exist_ok=True)
                code, said = attempt([self.program, "verify", partitions.tested / "run-1", partitions.note / "report.json",
                                      "--report", report], self.options.timeout)
        except Failure as failure:
            return {"verdict": "unknown", "reason": str(failure)}
        return judge(code, report.read_bytes() if report.exists() else b"", said)

    def take_older(self):
        """The control: each cut gets the notebook of the next one, as if its disk had lost everything in between."""
        start, size = self.disk.partitions[1]
        for (cut, _), (later, _) in zip(self.cuts, self.cuts[1:]):
            with open(later, "rb") as source, open(cut, "r+b") as target:
                source.seek(start)
                target.seek(start)
                target.write(source.read(size))
        del self.cuts[-1:]


def cut_row(options, name, control, program, directory, results):
    filesystem = FILESYSTEMS[name]
    result = empty_row(f"{name}/{max(filesystem.blocks)}" + (", an older disk" if control else ""), control)
    results.append(result)
    try:
        records = 0
        while result["cuts"] < options.cuts:
            workload = options.workload[records % len(options.workload)]
            record = Record(options, filesystem, options.seed + records, workload, program, directory)
            record.make(min(_CUTS_OF_A_RECORD, options.cuts - result["cuts"]) + control)
            if control:
                record.take_older()
            if not record.cuts:
                raise Failure(UNKNOWN, f"{workload}, seed {record.seed}: ended before there was a cut; give more --ops")
            part = empty_part(platform.release(), 0, len(record.cuts))
            record.compare(part)
            add(result, part)
            records += 1
            note(f"{result['row']}: {result['cuts']} cuts, {len(result['alarms'])} alarms")
            for cut in directory.glob("cut-*") if not options.keep else ():
                cut.unlink()
    except Failure as failure:
        result["failure"] = str(failure)


def main():
    options = parser().parse_args(sys.argv[1:])
    talk(options.verbose)
    can_write("--report", options.json)
    if not os.path.isdir(options.directory):
        raise usage_error(f"no directory {options.directory}")
    if os.geteuid() != 0:
        raise Failure(UNKNOWN, "loop devices are mounted, which only root can do")
    program = find_program("mmapstress", "tools/mmapstress/mmapstress", options.mmapstress)
    for name, package in (("mount", "mount"), ("losetup", "mount")):
        need(name, package)
    os.environ["TMPDIR"] = os.path.abspath(options.directory)
    results = []
    with temporary_directory(options.keep) as directory:
        need_room(directory, 600)
        check_reflinks(directory)
        try:
            for name in options.fs:
                for control in (False, True) if options.control else (False,):
                    cut_row(options, name, control, program, directory, results)
        except (KeyboardInterrupt, Stopped):
            deliver(options, results)
            raise
    return deliver(options, results)


if __name__ == "__main__":
    sys.exit(run_as("loop-cuts.sh", main))
