"""QEMU, and the kernel images that it boots."""
import subprocess
from dataclasses import dataclass

from .base import USAGE, Failure, processes, usage_error

TIME_IS_UP = 124  # the status of a QEMU that was ended


@dataclass(frozen=True)
class Machine:
    smp: int = 1
    memory: int = 512  # MiB
    bus: str = "virtio"  # of the test disk; or ide
    append: str = ""
    kvm: bool = False

    def command(self, image, initramfs, disk):
        # Under QEMU's translator old kernels fail the check of their timer interrupt; one that stops
        # all the same may need --append 'noapic nolapic notsc'. A busy host makes a guest late, which
        # is no lockup of its kernel.
        words = "console=ttyS0 rdinit=/init panic=1 loglevel=4 no_timer_check nosoftlockup"
        return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-m", str(self.memory), "-smp", str(self.smp), "-kernel", str(image),
                "-initrd", str(initramfs), "-append", f"{words} {self.append}".rstrip(),
                "-drive", f"file={disk},if={self.bus},format=raw,cache=unsafe",
                *(("-accel", "kvm", "-cpu", "host") if self.kvm else ("-accel", "tcg"))]


def boot(machine, image, initramfs, disk, console, seconds):
    """Runs a guest until it reboots: QEMU's exit status, negative for a signal. The serial console goes
    to the file `console`; the second result is what QEMU said itself."""
    said = console.with_suffix(".qemu")
    console.touch()
    with open(said, "wb") as output:
        with processes.started([*machine.command(image, initramfs, disk), "-serial", f"file:{console}"],
                               stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = TIME_IS_UP
    return status, said.read_text(errors="replace")


def boot_shell(machine, image, initramfs, disk):
    """The serial console on this terminal, until the guest reboots."""
    subprocess.run([*machine.command(image, initramfs, disk), "-serial", "mon:stdio"], check=False)


def check_image(path):
    """A kernel image is a bzImage: "HdrS" at 0x202."""
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
