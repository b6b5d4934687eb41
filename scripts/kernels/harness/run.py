"""run.sh: boots a kernel, runs mmapstress inside, reports the damage."""
import shutil
import sys
from pathlib import Path

from .base import ROOT, UNKNOWN, USAGE, Cache, Failure, need, need_room, note, run_as, talk, temporary_directory
from .filesystems import FILESYSTEMS
from .guest import build_engine, build_init, program_given
from .kernels import debian_kernel, own_kernel, source_kernel
from .options import machine_of, parse_run, say_what_is_missing, suite_of
from .qemu import boot_shell
from .report import FORMATS, exit_code
from .rows import Booter, Row, list_rows


def prepare_kernel(options, cache, temporary):
    if options.way == "kernel":
        return own_kernel(options.kernel)
    suite = suite_of(options, cache)
    return debian_kernel(suite) if options.way == "debian" else source_kernel(suite, temporary, options.jobs)


def find_partialfs(options):
    """The partialfs for the guest."""
    if options.partialfs_program:
        return program_given("--partialfs-program", options.partialfs_program)
    for candidate in (ROOT / "build/release/fusefs/partialfs", shutil.which("partialfs")):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise Failure(UNKNOWN, "no partialfs was built: cmake --preset release && "
                           "cmake --build build/release --target partialfs")


def fetch_shell(cache, suite):
    """mksh, in Debian's build with musl, and the small tools of klibc: both run on a 2.6.19, where
    busybox-static, being glibc, crashes at start. The directory with bin and lib."""
    shell = cache.path / "shell"
    with cache.lock("shell"):
        if not (shell / "bin/sh").exists():
            note("fetching a shell for the guest")
            suite.update()
            with cache.making(shell) as part:
                suite.unpack(part, "mksh", "klibc-utils", "libklibc", only=(
                    "./usr/lib/klibc/bin/*", "*/lib/klibc-*.so", "./usr/lib/x86_64-linux-musl/bin/mksh"))
                (part / "bin").mkdir()
                (part / "lib").mkdir(exist_ok=True)
                for file in part.glob("usr/lib/klibc/bin/*"):
                    shutil.copy(file, part / "bin")
                for file in part.glob("usr/lib/klibc-*.so"):
                    shutil.copy(file, part / "lib")
                shutil.copy(part / "usr/lib/x86_64-linux-musl/bin/mksh", part / "bin/sh")
                shutil.rmtree(part / "usr")
    return shell


def run_shell(options, booter, shell):
    name = (options.fs or ("ext3" if options.way == "kernel" else "reiserfs",))[0]
    fix = "unknown" if options.way == "kernel" else options.fix if options.fix in ("undone", "present") else "undone"
    row = Row(FILESYSTEMS[name], (options.block_size or (1024,))[0], fix)
    work = booter.temporary / "shell"
    guest, disk = booter.prepare(row, work)
    guest.add_runs(booter.programs["engine"], booter.runs)
    for part in ("bin", "lib"):
        shutil.copytree(shell / part, guest.root / part, dirs_exist_ok=True)
    guest.set("shell", "/bin/sh")
    guest.pack(work / "initramfs")
    boot_shell(booter.machine, booter.kernel.images[fix], work / "initramfs", disk)


def main():
    options = parse_run(sys.argv[1:])
    talk(options.verbose)
    machine = machine_of(options)
    rows = list_rows(options)
    need("qemu-system-x86_64", "qemu-system-x86")
    cache = Cache(options.cache)
    if options.check:
        say_what_is_missing(options, cache)
        return 0
    if options.shell and not sys.stdin.isatty():
        raise Failure(USAGE, "--shell needs a terminal")
    with temporary_directory(options.keep) as temporary:
        need_room(temporary, 500)
        programs = {"partialfs": find_partialfs(options) if options.partialfs else None,
                    "engine": program_given("--engine", options.engine) if options.engine else None}
        programs["init"] = build_init(cache)
        programs["engine"] = programs["engine"] or build_engine(cache)
        kernel = prepare_kernel(options, cache, temporary)
        booter = Booter(options, machine, kernel, programs, temporary)
        if options.shell:
            run_shell(options, booter, fetch_shell(cache, suite_of(options, cache)))
            return 0
        results = booter.boot_rows(rows)
    for path, form in ((options.json, "json"), (options.ktap, "ktap")):
        if path:
            Path(path).write_text(FORMATS[form](results), encoding="utf-8")
    sys.stdout.write(FORMATS[options.format](results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(run_as("run.sh", main))
