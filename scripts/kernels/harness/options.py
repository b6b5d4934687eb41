"""The command line of run.sh, and the options that compare.sh shares."""
import argparse
import os
import re
from pathlib import Path

from .base import UNKNOWN, Failure, can_write, need, usage_error
from .filesystems import FILESYSTEMS
from .qemu import Machine, check_image
from .report import FORMATS
from .rows import CONTRACTS, MATRIX_WORKLOADS, TIMED
from .sources import CONFIGS, OF_MUTANTS
from .suites import MIRROR, Suite, suite_name


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line as a usage error of one line."""

    def __init__(self, program, **how):
        super().__init__(prog=program, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
                         **how)

    def error(self, message):
        message = re.sub(r"^argument (\S+): expected one argument$", r"\1 needs a value", message)
        raise usage_error(re.sub(r"^unrecognized arguments: (\S+).*", r"unknown option '\1'", message))


def number(name):
    """The parser of a count of at least 1, for the option `name`."""
    def parse(text):
        if not re.fullmatch("[1-9][0-9]{0,6}", text):
            raise usage_error(f"{name} takes a number from 1, not '{text}'")
        return int(text)
    return parse


def one_of(*words, says):
    def parse(text):
        if text not in words:
            raise usage_error(says.format(text))
        return text
    return parse


def quantity(name, units):
    """The parser of a number from 1 with one of `units`, {name: factor}; the first unit may be omitted."""
    def parse(text):
        found = re.fullmatch("([1-9][0-9]{0,6})(%s)?" % "|".join(units), text)
        if not found:
            raise usage_error(f"{name} takes a number and {' or '.join(units)}, not '{text}'")
        return int(found[1]) * units[found[2] or next(iter(units))]
    return parse


def mebibytes(name):
    return quantity(name, {"MiB": 1, "GiB": 1024})


def seconds(name):
    return quantity(name, {"s": 1, "min": 60, "h": 3600})


def add_report(parser, formats=tuple(FORMATS)):
    """Adds --format, and --report with its older name."""
    def parse(text):
        if text == "table":  # the older name of the first format
            text = formats[0]
        if text not in formats:
            raise usage_error(f"no format '{text}': {', '.join(formats[:-1])} or {formats[-1]}")
        return text
    if formats:
        parser.add_argument("--format", metavar="WORD", type=parse, default=formats[0],
                            help=f"what is printed: {', '.join(formats)} (%(default)s)")
    parser.add_argument("--report", dest="json", metavar="FILE", help="write the report to FILE, as JSON")
    parser.add_argument("--json", dest="json", metavar="FILE", help=argparse.SUPPRESS)


def list_of(parse):
    return lambda text: tuple(parse(word) for word in text.split(","))


def seeds(text):
    found = re.fullmatch("([1-9][0-9]{0,8})|([0-9]{1,9})-([0-9]{1,9})", text)
    if not found:
        raise usage_error(f"--seeds takes a number of seeds or FIRST-LAST, not '{text}'")
    first, last = (1, int(found[1])) if found[1] else (int(found[2]), int(found[3]))
    if first > last:
        raise usage_error(f"--seeds takes FIRST-LAST, and {text} has none")
    return range(first, last + 1)


def expectation(text):
    pattern, _, word = text.rpartition("=")
    if word not in ("damage", "clean", "oops", "hang", "warning"):
        raise usage_error(f"--expect takes [ROW=] and damage, clean, oops, hang or warning, not '{text}'")
    return pattern or None, word


def schedule(text):
    if not (os.path.isfile(text) and os.access(text, os.R_OK)):
        raise usage_error(f"cannot read the schedule {text}")
    return Path(text)


def contracts(text):
    if text == "both":
        return CONTRACTS
    return list_of(one_of(*CONTRACTS, says="--partialfs takes linux-2.6.19, linux-2.6.20 or both, not '{}'"))(text)


def add_kernel_options(parser):
    """The options that select the kernel: the same for run.sh and compare.sh."""
    ways = parser.add_argument_group("the kernel")
    ways.add_argument("--debian", metavar="SUITE", nargs="?", const="bookworm",
                      help="Debian's kernel of this suite, with the fix undone by a module: bookworm (default), trixie, "
                           "backports or sid, where the mirror has it")
    ways.add_argument("--kernel", metavar="IMAGE", help="your own kernel, for example a 2.6.19 or a 2.6.20")
    ways.add_argument("--source", metavar="SUITE", nargs="?", const="bookworm",
                      help="a kernel that is built here from the suite's package linux-source, with the fix and without "
                           "it (bookworm)")
    ways.add_argument("--config", metavar="|".join(CONFIGS), default="filesystems",
                      type=one_of(*CONFIGS, says="no configuration '{}': " + ", ".join(CONFIGS)),
                      help="for --source: filesystems (default), or blockdev, a kernel whose block devices have no "
                           "buffer heads. With blockdev the runs use the disk itself, and --fix means: undone, Debian's "
                           "source as it is; present, with one line of ours; buffer-heads, with buffer heads")
    ways.add_argument("--mirror", metavar="URI", default=MIRROR, help="Debian's archive (%(default)s)")


def add_machine_options(parser):
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--smp", metavar="N", type=number("--smp"), default=1, help="number of processors (%(default)s)")
    machine.add_argument("--memory", metavar="SIZE", type=mebibytes("--memory"), default=512,
                         help="its memory, a number and MiB or GiB (512MiB)")
    machine.add_argument("--timeout", metavar="TIME", type=seconds("--timeout"), default=120,
                         help="how long one run may take, a number and s, min or h (2min)")
    machine.add_argument("--bus", type=one_of("virtio", "ide", says="--bus takes virtio or ide, not '{}'"),
                         metavar="virtio|ide", help="what the test disk is connected to (virtio; with --kernel ide)")
    machine.add_argument("--append", metavar="WORDS", default="", help="more words for the kernel's command line")
    machine.add_argument("--kvm", action="store_true",
                         help="use /dev/kvm (default: QEMU's own translator, which runs everywhere)")


def add_common_options(parser):
    parser.add_argument("--engine", metavar="FILE",
                        help="use this static program, built from tools/mmapstress before, instead of building one")
    parser.add_argument("--cache", metavar="DIR", help="keep what is downloaded and built in this directory "
                        "(${XDG_CACHE_HOME:-~/.cache}/partialfs-kernels)",
                        default=Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "partialfs-kernels")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory: consoles, disks, initramfs")
    parser.add_argument("--verbose", action="store_true", help="print each step")


def _add_what_is_run(parser):
    runs = parser.add_argument_group("what is run")
    runs.add_argument("--workload", metavar="LIST", type=lambda text: tuple(text.split(",")),
                      help="workloads, separated by commas; `mmapstress workloads` lists them (recipe; with --matrix "
                      + ", ".join(MATRIX_WORKLOADS) + ", those that the engine has)")
    runs.add_argument("--seeds", metavar="N|A-B", type=seeds,
                      help=f"one run for each seed; N means 1 to N (10; 1 for {' and '.join(TIMED)}, which run for 20 s each)")
    runs.add_argument("--long", action="store_true", help=f"{' and '.join(TIMED)} run for 2 min each")
    for name, what in (("--size", "SIZE"), ("--files", "N"), ("--ops", "N"), ("--duration", "TIME")):
        runs.add_argument(name, metavar=what, help="as in mmapstress run (default: the workload's)")
    runs.add_argument("--minimise", action="store_true",
                      help="for each row with damage: find the smallest schedule that still loses data in that kernel, and "
                           "print it; on a block device with the reason that vmmodel gives")
    for name in ("mmapstress", "vmmodel"):
        runs.add_argument(f"--{name}", metavar="FILE", help=f"the program {name} for --minimise (that in build/release, or else "
                                                            "the installed one)")
    runs.add_argument("--schedule", metavar="FILE", type=schedule, action="append", default=[],
                      help="run this schedule of mmapstress, or that of this report, instead of a workload; may be given "
                           "several times (compare.sh runs recorded ones, .jsonl)")


def _add_on_what(parser):
    what = parser.add_argument_group("on what")
    what.add_argument("--fs", metavar="LIST", help=f"filesystems, separated by commas: {', '.join(FILESYSTEMS)} (reiserfs; "
                      "with --kernel ext3)",
                      type=list_of(one_of(*FILESYSTEMS, says="no filesystem '{}': " + ", ".join(FILESYSTEMS))))
    what.add_argument("--mount-options", metavar="OPTIONS", default="", help="additional options for the mount")
    what.add_argument("--matrix", action="store_true", help="every filesystem of the first tier, fix undone and present "
                      "(the second tier by --fs: "
                      + ", ".join(name for name, filesystem in FILESYSTEMS.items() if filesystem.tier == 2) + ")")
    what.add_argument("--block-size", metavar="LIST", help="block sizes in bytes, separated by commas: 1024, 4096 (both); for blockdev also 512 (its "
                      "default) and 2048",
                      type=lambda text: tuple(map(int, list_of(one_of(
                          "512", "1024", "2048", "4096",
                          says="--block-size takes 512, 1024, 2048 and 4096, with commas, not '{}'"))(text))))
    what.add_argument("--fix", metavar="undone|present|both", type=one_of(
        "undone", "present", "buffer-heads", "both", says="--fix takes undone, present, buffer-heads or both, not '{}'"),
                      help="with --debian and --source: with the fix, without it, or both (both)")
    what.add_argument("--partialfs", metavar="LIST", type=contracts, default=(),
                      help="mount a partialfs with this contract (linux-2.6.19, linux-2.6.20 or both) over the filesystem "
                           "in the guest, and run on that")
    what.add_argument("--partialfs-program", metavar="FILE", help="the program for --partialfs (that in build/release, or "
                      "else the installed one)")
    what.add_argument("--background-writeback", action="store_true",
                      help="leave the kernel's writeback timers as they are (default: one hour, so that only the schedule "
                           "decides what is written when)")


_EPILOG = """\
--expect [ROW=]damage|clean|oops|hang|warning: ROW is a pattern for FILESYSTEM/BLOCK/FIX, such as
'reiserfs/*/undone', or for that and /WORKLOAD; without it: every row. The last that matches counts. By default damage
is expected of recipe and linus on reiserfs with the fix undone, and of these and mix on partialfs with linux-2.6.19;
nothing is expected of other workloads there, nor with --kernel: any answer is good then. All else must be clean.

A run that hangs, oopses or makes the kernel warn counts as that, never as clean. A row that cannot be run here says
why.

Exit status: 0 every row as expected, 1 a row is not, 2 wrong usage, 3 could not tell: no QEMU, a hang, an oops, a
warning, a report that did not arrive, a row of --fs that cannot be run.

Example: scripts/kernels/run.sh --debian --fs reiserfs,ext4 --seeds 3 --report rows.json"""


def run_parser():
    parser = Parser("run.sh", epilog=_EPILOG, description=(
        "Boots a kernel in QEMU, runs mmapstress inside on a real filesystem of that kernel, and reports the damage:\n"
        "the bug of Linux 2.6.19 as it was, and the fix."))
    add_kernel_options(parser)
    _add_what_is_run(parser)
    _add_on_what(parser)
    add_machine_options(parser)
    parser.add_argument("--disk", metavar="SIZE", type=mebibytes("--disk"),
                        help="size of the test disk, a number and MiB or GiB (192MiB; with --mutants, whose runs keep "
                             "their files, 4GiB in a sparse file)")
    bugs = parser.add_argument_group("seeded kernel bugs")
    bugs.add_argument("--mutants", metavar="LIST", nargs="?", const="", type=lambda text: text,
                      help="build a kernel from --source (trixie) with each patch in source/mutants, or with those named, "
                           "separated by commas; run all workloads in turn on it until one finds something, or for "
                           "--duration (5min); print what was found, by which workload and after what time")
    bugs.add_argument("--peers", action="store_true",
                      help="the same with fsx, fsstress and stress-ng, those of them that are on PATH")
    bugs.add_argument("--peer-duration", metavar="TIME", help="how long each of those runs (default: --duration)")
    bugs.add_argument("--again", action="store_true", help="run also the mutants whose result an earlier run has kept")
    power = parser.add_argument_group("power cuts")
    power.add_argument("--power-cut", action="store_true",
                       help="record what is written to the test disk while mmapstress runs (workloads mix and wild in turn); "
                            "make the disk as it may have been at many moments, mount each, and check that everything "
                            "is there for which fsync, fdatasync or msync had returned; --fs (ext4), --ops (4000)")
    power.add_argument("--cuts", metavar="N", type=number("--cuts"), default=50, help="number of moments (%(default)s)")
    power.add_argument("--disk-lies", action="store_true",
                       help="use a disk that claims to have flushed its cache but has not: something must be lost")
    power.add_argument("--mutant", metavar="NAME", help="use the kernel with this seeded bug, built from --source (trixie)")
    power.add_argument("--controls", action="store_true",
                       help="add three rows in which something must be lost: ext4 with data=writeback,nobarrier, a disk that "
                            "lies, and a kernel whose fsync does not wait, built from linux-source; of at most 50 cuts each")
    result = parser.add_argument_group("the result")
    result.add_argument("--expect", metavar="[ROW=]WORD", type=expectation, action="append", default=[],
                        help="see below")
    add_report(result)
    result.add_argument("--ktap", metavar="FILE", help="write the result to FILE, as KTAP")
    add_common_options(parser)
    parser.add_argument("--jobs", metavar="N", type=number("--jobs"), default=os.cpu_count(),
                        help="number of guests at the same time (one for each processor)")
    parser.add_argument("--shell", action="store_true", help="run nothing; open a shell in the guest on this terminal")
    parser.add_argument("--check", action="store_true", help="run nothing; say whether everything that --debian needs is there")
    return parser


def settle_way(options):
    """Sets options.way and options.suite: which kernel, of which suite."""
    ways = [way for way in ("kernel", "source", "debian") if getattr(options, way)]
    if len(ways) > 1:
        raise usage_error(f"--{ways[0]} and --{ways[1]} are two kernels")
    options.way = ways[0] if ways else "debian"
    options.suite = suite_name(getattr(options, options.way) or "bookworm") if options.way != "kernel" else None
    if options.way == "kernel":
        check_image(options.kernel)
    if options.config != "filesystems" and options.way != "source":
        raise usage_error("--config goes with --source only")
    options.bus = options.bus or ("ide" if options.way == "kernel" else "virtio")
    if options.bus == "ide" and options.way != "kernel":
        raise usage_error("--bus ide goes with --kernel only")


def machine_of(options):
    if options.kvm and not os.access("/dev/kvm", os.W_OK):
        raise Failure(UNKNOWN, "--kvm: cannot use /dev/kvm; run without it")
    return Machine(options.smp, options.memory, options.bus, options.append, options.kvm)


def _settle_mutants(options):
    """Sets what --mutants implies, and refuses options that contradict it."""
    for name in ("kernel", "debian", "fs", "fix", "workload", "schedule", "partialfs", "block_size", "matrix", "minimise",
                 "shell", "ktap"):
        if getattr(options, name):
            raise usage_error(f"--{name.replace('_', '-')} does not go with --mutants")
    if options.format == "ktap":
        raise usage_error("--format ktap does not go with --mutants")
    options.source = options.source or OF_MUTANTS
    options.duration = options.duration or "5min"
    options.peer_duration = options.peer_duration or options.duration
    options.disk = options.disk or 4096
    options.mutants = tuple(filter(None, options.mutants.split(",")))


def _settle_power_cut(options):
    for name in ("fix", "schedule", "partialfs", "matrix", "minimise", "shell", "ktap", "duration"):
        if getattr(options, name):
            raise usage_error(f"--{name.replace('_', '-')} does not go with --power-cut")
    if options.mutants is not None or options.format == "ktap":
        raise usage_error(f"{'--format ktap' if options.format == 'ktap' else '--mutants'} does not go with --power-cut")
    for name in options.fs or ():
        if not FILESYSTEMS[name].is_on_disk:
            raise usage_error(f"--power-cut takes filesystems on a disk of their own, not {name}")
    if options.mutant:
        options.source = options.source or OF_MUTANTS


def parse_run(arguments):
    options = run_parser().parse_args(arguments)
    if options.mutants is not None:
        _settle_mutants(options)
    if options.power_cut:
        _settle_power_cut(options)
    for name in ("disk_lies", "mutant", "controls"):
        if getattr(options, name) and not options.power_cut:
            raise usage_error(f"--{name.replace('_', '-')} goes with --power-cut only")
    options.disk = options.disk or 192
    settle_way(options)
    if options.way == "kernel" and options.fix:
        raise usage_error("--fix has no meaning with --kernel: your kernel has the fix or has it not")
    if options.fix not in (None, "both", *CONFIGS[options.config]):
        raise usage_error(f"--fix {options.fix} goes with --config blockdev only")
    if options.bus == "ide" and "blockdev" in (options.fs or ()):
        raise usage_error("--fs blockdev wants --bus virtio")
    if options.way == "kernel" and options.matrix:
        raise usage_error("--matrix goes with --debian and --source")
    can_write("--report", options.json)
    can_write("--ktap", options.ktap)
    return options


def suite_of(options, cache):
    return Suite(cache, options.suite or "bookworm", options.mirror)


def say_what_is_missing(options, cache):
    """--check: raises a failure that names what --debian needs and is missing here."""
    wanted = ["qemu-system-x86_64", "musl-gcc", "mkreiserfs", "make", "gcc-12", "depmod", "cmake"]
    suite = suite_of(options, cache)
    for name in wanted if suite.is_of_host else [*wanted, "debootstrap"]:
        need(name, "that has it")
    if not (suite.directory / "kernel/ready").exists():
        suite.update()
        suite.kernel_release()
