"""QEMU, and the kernel images that it boots."""
import contextlib
import os
import re
import subprocess
import time
from dataclasses import dataclass

from .base import USAGE, Failure, processes, usage_error
from .console import read_console

# The status of a QEMU that was ended: when its time was over, or because its kernel oopsed and went on.
TIME_IS_UP, OOPSED = 124, 125
_AFTER_OOPS = 30  # seconds: damage found until then is still reported
_SILENT_BOOT = 90  # seconds on an idle host without a line on the console, before /init has begun
_SLOW = 200  # reads or writes a second, on a slow disk


@dataclass(frozen=True)
class Machine:
    smp: int = 1
    memory: int = 512  # MiB
    bus: str = "virtio"  # of the test disks; or ide
    append: str = ""
    kvm: bool = False
    slow: str = ""  # "read" or "write": what waits some milliseconds, as on a hard disk; the other does not

    def command(self, image, initramfs, disks, more=(), log=None):
        """`log`: a file, empty at first, that gets a record of every write and flush of the only disk."""
        # Level 5 shows the kernel's warnings. A busy host delays a guest, which is not a lockup or stall of its kernel.
        # Under QEMU's translator old kernels fail the check of their timer interrupt; those up to 2.6.20 panic unless
        # told to skip it.
        words = ["console=ttyS0", "rdinit=/init", "panic=1", "loglevel=5", "nosoftlockup",
                 "rcupdate.rcu_cpu_stall_suppress=1", *more]
        if not (0,) < version_of(image) <= (2, 6, 20):
            words.append("no_timer_check")
        words.append(self.append)
        return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-m", str(self.memory), "-smp", str(self.smp), "-kernel", str(image),
                "-initrd", str(initramfs), "-append", " ".join(words).rstrip(),
                *(_recorded(disks[0], log) if log else (word for disk in disks for word in (
                    "-drive", f"file={disk},if={self.bus},format=raw,cache=unsafe"
                              + (f",throttling.iops-{self.slow}={_SLOW}" if self.slow else "")))),
                *(("-accel", "kvm", "-cpu", "host") if self.kvm else ("-accel", "tcg"))]


def _recorded(disk, log):
    """A virtio disk behind blklogwrites. Without flushes on the host, which make no difference here; with log
    sectors as small as the disk's, otherwise small writes would be rounded up; without discards, for which the log
    has no bytes."""
    return ("-blockdev", f"driver=file,node-name=disk,filename={disk},cache.no-flush=on",
            "-blockdev", f"driver=file,node-name=log,filename={log},cache.no-flush=on",
            "-blockdev", "driver=blklogwrites,node-name=recorded,file=disk,log=log,log-sector-size=512",
            "-device", "virtio-blk-pci,drive=recorded,logical_block_size=512,physical_block_size=512,discard=off,"
            "write-zeroes=off")


def version_of(image):
    """(2, 6, 19) from the image's header, or (0,) if it has no version."""
    with open(image, "rb") as file:
        header = file.read(1 << 16)
    start = 0x200 + int.from_bytes(header[0x20e:0x210], "little")
    found = re.match(rb"(\d+)\.(\d+)(?:\.(\d+))?", header[start:start + 32]) if start > 0x200 else None
    return tuple(int(part) for part in found.groups() if part) if found else (0,)


def boot(machine, image, initramfs, disks, console, seconds, words=(), log=None, silence=None):
    """Runs a guest until it reboots. Returns QEMU's exit status, negative for a signal, and QEMU's own messages. The
    serial console goes to the file `console`. `words`: more for the kernel's command line. `silence`: a guest whose
    console prints nothing new for this many seconds is ended, too; so is one that stops while it boots, and, soon
    after, one whose kernel has oopsed."""
    said = console.with_suffix(".qemu")
    console.write_bytes(b"")
    with open(said, "wb") as output:
        with processes.started([*machine.command(image, initramfs, disks, words, log), "-serial", f"file:{console}"],
                               stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
            status = _wait(process, seconds, console, silence or seconds)
    return status, said.read_text(errors="replace")


def _wait(process, seconds, console, silence):
    size, heard, oopsed, booted = 0, time.monotonic(), None, False
    end = heard + seconds
    while time.monotonic() < min(end, heard + (silence if booted else min(silence, _SILENT_BOOT * busyness()))):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(min(1, seconds))
        if console.stat().st_size != size:
            size, heard = console.stat().st_size, time.monotonic()
            # Parsed as a whole each time: part of a report may look like a message of the kernel.
            read = read_console(console.read_bytes())
            oopsed, booted = (oopsed or heard) if read.oopsed else None, read.release is not None
        if oopsed and time.monotonic() >= oopsed + _AFTER_OOPS:
            return OOPSED
    return TIME_IS_UP


def busyness():
    """How many want a processor of the host, for each that it has: so much slower a guest is."""
    return max(1, os.getloadavg()[0] / os.cpu_count())


def boot_shell(machine, image, initramfs, disks):
    """Connects the serial console to this terminal, until the guest reboots."""
    subprocess.run([*machine.command(image, initramfs, disks), "-serial", "mon:stdio"], check=False)


def check_image(path):
    """Checks that the file is a bzImage: "HdrS" at 0x202."""
    try:
        with open(path, "rb") as file:
            file.seek(514)
            magic = file.read(4)
    except FileNotFoundError:
        raise usage_error(f"no such file: {path}") from None
    except OSError:
        raise usage_error(f"cannot read {path}") from None
    if magic != b"HdrS":
        raise Failure(USAGE, f"{path} is not a kernel image: give the bzImage (arch/x86/boot/bzImage of the "
                             "build, /boot/vmlinuz-* of a distribution)")
