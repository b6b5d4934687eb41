"""compare.sh: runs the same schedules on a kernel and on partialfs, and compares both with vmmodel's prediction."""
import json
import os
import re
import sys
from pathlib import Path

from .base import UNKNOWN, USAGE, Failure, can_write, command, need, run_as, talk, temporary_directory, usage_error
from .comparison import Collected, as_json, differing, exit_code, parts, summary, without_answer
from .options import Parser, add_common_options, add_kernel_options, add_machine_options, add_report, settle_way
from .device_schedules import device_lines
from .schedules import make_random, prefixes, split
from .sides import Sides, default_program

_DESCRIPTION = """\
Runs the same schedules on a kernel in QEMU, on a partialfs mount here (contract linux-2.6.19, flush policy
ext3) and in vmmodel, and compares which bytes each of them damages: for how many schedules is it the same, and
where do they begin to differ? vmmodel should predict every schedule of a 2.6.19 with ext3 (--kernel IMAGE), and of
Debian's kernel with reiserfs and the fix undone (--debian)."""
_EPILOG = """\
The kernel must lose what vmmodel predicts for its filesystem, and partialfs what vmmodel predicts for a daemon that
knows no more than partialfs can. partialfs follows ext3; other filesystems have other rules (a commit of reiserfs
writes only blocks that were allocated just before), so the kernel and partialfs may differ, as predicted.

Exit status: 0 all as predicted, 1 some not, 2 wrong usage, 3 could not tell.

Example: scripts/kernels/compare.sh --debian --schedules 20 --report sets.json"""
_PROGRAMS = {"partialfs": "fusefs/partialfs", "mmapstress": "tools/mmapstress/mmapstress",
             "vmmodel": "tools/vmmodel/vmmodel"}


def _schedules(text):
    if re.fullmatch("[1-9][0-9]{0,5}", text):
        return int(text)
    if not os.path.isfile(text):
        raise usage_error(f"--schedules takes a number or a file, and there is no file {text}")
    return Path(text)


def _number(text):
    if not re.fullmatch("[0-9]{1,9}", text):
        raise usage_error(f"--seed and --explain take a number, not '{text}'")
    return int(text)


def _filesystem(text):
    if "," in text:
        raise usage_error(f"--fs takes one filesystem here, not '{text}'")
    return text


def parse():
    parser = Parser("compare.sh", description=_DESCRIPTION, epilog=_EPILOG)
    add_kernel_options(parser)
    parser.add_argument("--schedules", metavar="N|FILE", type=_schedules, default=50,
                        help="N random schedules (%(default)s), half of them with blocks of 1 KiB and half of 4 KiB; or a file "
                             "of recorded ones, as JSON Lines (.zst: compressed with zstd)")
    parser.add_argument("--seed", metavar="N", type=_number, default=1, help="seed of the first schedule (%(default)s)")
    parser.add_argument("--explain", metavar="N", type=_number, default=3,
                        help="for the first N schedules that differ (%(default)s), find the operation after which they do: "
                             "run each again, cut off after each operation")
    add_report(parser, ())
    parser.add_argument("--record", metavar="FILE",
                        help="with --config blockdev: write the schedules to FILE with what the kernel lost, one on each line, "
                             "as in tests/golden (.zst: compressed with zstd)")
    for name, path in _PROGRAMS.items():
        parser.add_argument(f"--{name}", metavar="FILE", default=default_program(path), type=Path,
                            help=f"the program {name} (that in build/release)")
    parser.add_argument("--fs", metavar="NAME", type=_filesystem,
                        help="the kernel's filesystem (reiserfs; with --kernel ext3)")
    add_machine_options(parser)
    add_common_options(parser)
    options = parser.parse_args()
    settle_way(options)
    options.on_device = options.config == "blockdev" or options.fs == "blockdev"
    if options.record and not options.on_device:
        raise usage_error("--record goes with --config blockdev or --fs blockdev")
    can_write("--report", options.json)
    can_write("--record", options.record)
    return options


def run_options(options):
    """The options that run.sh gets, from ours."""
    words = [f"--{options.way}", options.kernel or options.suite]
    words += ["--fix", "undone"] if options.way != "kernel" else []
    words += ["--config", options.config] if options.way == "source" else []
    for name in ("mirror", "fs", "bus", "append", "memory", "smp", "timeout", "engine", "cache"):
        value = getattr(options, name)
        words += [f"--{name}={value}"] if value else []
    return words + [f"--{name}" for name in ("kvm", "verbose") if getattr(options, name)]


def make_schedules(options, temporary):
    """(block size, path) of each schedule."""
    directory = temporary / "made"
    directory.mkdir()
    wanted = options.schedules
    if isinstance(wanted, int) and options.on_device:
        made = temporary / "made.jsonl"
        made.write_text("".join(device_lines(wanted, options.seed)), encoding="ascii")
        options.recorded = made
        return split(directory, made)
    if isinstance(wanted, int):
        half = (wanted + 1) // 2
        return make_random(directory, half, options.seed, 1024) + make_random(directory, wanted - half, options.seed, 4096)
    source = wanted
    if wanted.suffix == ".zst":
        need("zstd", "zstd")
        source = temporary / "recorded.jsonl"
        command(["zstd", "-qdf", wanted, "-o", source], 600, f"cannot read {wanted}")
    schedules = split(directory, source)
    options.recorded = source
    if not schedules:
        raise Failure(USAGE, f"no schedule in {wanted}")
    return schedules


def record(options, collected, temporary):
    """Records the schedules again, with the kernel's release and what it lost. Those without an answer are left out."""
    lines, release = [], collected.kernel.split(" ", 1)[0]
    with open(options.recorded, encoding="utf-8") as file:
        for schedule in map(json.loads, filter(str.strip, file)):
            lost = collected.sets["kernel"].get(f"{schedule['id']}.jsonl")
            if lost is not None:
                lines.append(json.dumps(schedule | {"kernel": release, "damage": lost}, separators=(",", ":")) + "\n")
    if options.record.endswith(".zst"):
        need("zstd", "zstd")
        plain = temporary / "record.jsonl"
        plain.write_text("".join(lines), encoding="ascii")
        command(["zstd", "-q", "-19", "-f", plain, "-o", options.record], 600, f"cannot write {options.record}")
    else:
        Path(options.record).write_text("".join(lines), encoding="ascii")


def main():
    options = parse()
    talk(options.verbose)
    for name in _PROGRAMS:
        path = getattr(options, name)
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise Failure(UNKNOWN, f"no program {path}: cmake --preset release && cmake --build build/release")
        setattr(options, name, path.resolve())
    if not os.access("/dev/fuse", os.W_OK):
        raise Failure(UNKNOWN, "cannot use /dev/fuse, which the partialfs mount needs")
    with temporary_directory(options.keep) as temporary:
        sides = Sides(options, run_options(options), temporary)
        sides.collect(temporary / "all", make_schedules(options, temporary))
        collected = Collected(temporary / "all", sides.partialfs_rule)
        sys.stdout.write(summary(collected) + without_answer(collected))
        if options.record:
            record(options, collected, temporary)
        if options.json:
            Path(options.json).write_text(as_json(collected), encoding="utf-8")
        differ = differing(collected)[:options.explain]
        if differ:
            (temporary / "cut").mkdir()
            cut = [one for name in differ for one in prefixes(temporary / "cut", temporary / "all/schedules" / name)]
            sides.collect(temporary / "prefixes", cut)
            for line in parts(collected, Collected(temporary / "prefixes")):
                print(line)
    return exit_code(collected)


if __name__ == "__main__":
    sys.exit(run_as("compare.sh", main))
