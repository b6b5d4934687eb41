"""run.sh: boots a kernel, runs mmapstress inside, and reports the damage."""
import shutil
import sys
from pathlib import Path

from .base import (ROOT, UNKNOWN, USAGE, Cache, Failure, Stopped, attempt, last_line, need, need_room, note, run_as, talk,
                   temporary_directory, usage_error)
from .booter import Batch, Booter
from .cut_results import deliver as deliver_cuts
from .filesystems import DAEMONS
from .guest import build_engine, build_init, program_given
from .kernels import Kernel, debian_kernel, own_kernel
from .mutants import Hunt, list_mutants, seconds_of
from .mutants import deliver as deliver_mutants
from .power import PowerCuts, mutant_patch
from .power import list_rows as list_cut_rows
from .options import machine_of, parse_run, say_what_is_missing, suite_of
from .qemu import boot_shell
from .report import FORMATS, exit_code
from .rows import MATRIX_WORKLOADS, list_runs, list_setups
from .sources import OF_MUTANTS, SourceTree, source_kernel
from .suites import Suite


def prepare_kernel(options, cache, temporary, setups):
    if options.way == "kernel":
        return own_kernel(options.kernel)
    suite = suite_of(options, cache)
    if options.way == "debian":
        return debian_kernel(suite)
    return source_kernel(suite, options.config, list(dict.fromkeys(setup.fix for setup in setups)), temporary,
                         options.jobs)


def choose_workloads(options, engine):
    """The workloads to run, a subset of the engine's."""
    code, said = attempt([engine, "workloads"], 60)
    if code != 0:
        raise usage_error(f"--engine: {engine} does not say which workloads it has: {last_line(said)}")
    offered = said.split()
    for name in options.workload or ():
        if name not in offered:
            raise usage_error(f"no workload '{name}': {', '.join(offered)}")
    return options.workload or [name for name in (MATRIX_WORKLOADS if options.matrix else ("recipe",)) if name in offered]


def find_programs(options, setups):
    """The programs that are mounted over the test disk, by name; a missing one is reported when its row is made."""
    found = {}
    for name in ("mmapstress", "vmmodel") if options.minimise else ():
        found[name] = find_program(name, f"tools/{name}/{name}", getattr(options, name))
    if options.partialfs or any(setup.filesystem.over == "partialfs" for setup in setups):
        found["partialfs"] = find_program("partialfs", "fusefs/partialfs", options.partialfs_program,
                                          "--partialfs-program")
    for name, *_ in DAEMONS.values():
        if shutil.which(name):
            found[name] = Path(shutil.which(name))
    return found


def find_program(name, built, given, option=None):
    """One of the project's programs: the given one, the one in build/release, or the installed one."""
    if given:
        return program_given(option or f"--{name}", given)
    for candidate in (ROOT / "build/release" / built, shutil.which(name)):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise Failure(UNKNOWN, f"no {name} was built: cmake --preset release && cmake --build build/release --target {name}")


def fetch_shell(cache, suite):
    """Fetches mksh, in Debian's build with musl, and the small tools of klibc: both run on a 2.6.19, where
    busybox-static, built with glibc, crashes at start. Returns the directory with bin and lib."""
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


def run_shell(setups, booter, shell):
    setup = setups[0]
    batch = Batch([setup], booter.temporary / "shell")
    guest = booter.prepare(batch)
    if batch.failures:
        raise batch.failures[setup]
    for key, value in booter.settings(guest, batch, setup).items():
        guest.set(key, value)
    for number, run in enumerate(booter.runs, 1):
        guest.add_run(number, run, {})
    shutil.copy(booter.programs["engine"], guest.root / "mmapstress")
    for part in ("bin", "lib"):
        shutil.copytree(shell / part, guest.root / part, dirs_exist_ok=True)
    guest.set("shell", "/bin/sh")
    guest.pack(batch.work / "initramfs")
    boot_shell(booter.machine, booter.kernel.images[setup.fix], batch.work / "initramfs", batch.disks())


def deliver(options, rows):
    """Prints the table of the rows so far, and writes the files."""
    for path, form in ((options.json, "json"), (options.ktap, "ktap")):
        if path:
            Path(path).write_text(FORMATS[form](rows), encoding="utf-8")
    if rows:
        sys.stdout.write(FORMATS[options.format](rows))


def run_mutants(options, machine, cache):
    """--mutants."""
    mutants = list_mutants(options.mutants)
    seconds_of(options.duration)
    seconds_of(options.peer_duration)
    with temporary_directory(options.keep) as temporary:
        need_room(temporary, 500)
        programs = {"init": build_init(cache), "engine": program_given("--engine", options.engine) if options.engine
                    else build_engine(cache)}
        tree = SourceTree(suite_of(options, cache), temporary, options.jobs)
        hunt = Hunt(options, machine, tree, programs, temporary, cache)
        try:
            hunt.run(mutants)
        except (KeyboardInterrupt, Stopped):
            deliver_mutants(options, mutants, hunt)
            raise
        return deliver_mutants(options, mutants, hunt)


def run_power_cuts(options, machine, cache):
    """--power-cut."""
    rows = list_cut_rows(options)
    with temporary_directory(options.keep) as temporary:
        need_room(temporary, 3000)
        programs = {"init": build_init(cache), "engine": program_given("--engine", options.engine) if options.engine
                    else build_engine(cache)}

        def kernel_of(mutant):
            if options.way == "kernel":
                return own_kernel(options.kernel)
            if options.way == "debian" and not mutant:
                return debian_kernel(suite_of(options, cache), with_probes=False)
            suite = suite_of(options, cache) if options.way == "source" else Suite(cache, OF_MUTANTS, options.mirror)
            tree = SourceTree(suite, temporary, options.jobs)
            return Kernel("source", tree.release, {"undone": tree.image(*mutant_patch(mutant))})

        cuts = PowerCuts(options, machine, kernel_of, programs, temporary, cache)
        try:
            cuts.run(rows)
        except (KeyboardInterrupt, Stopped):
            deliver_cuts(options, cuts.results)
            raise
        return deliver_cuts(options, cuts.results)


def main():
    options = parse_run(sys.argv[1:])
    talk(options.verbose)
    machine = machine_of(options)
    if options.mutants is not None:
        need("qemu-system-x86_64", "qemu-system-x86")
        return run_mutants(options, machine, Cache(options.cache))
    if options.power_cut:
        need("qemu-system-x86_64", "qemu-system-x86")
        return run_power_cuts(options, machine, Cache(options.cache))
    setups = list_setups(options)
    need("qemu-system-x86_64", "qemu-system-x86")
    cache = Cache(options.cache)
    if options.check:
        say_what_is_missing(options, cache)
        return 0
    if options.shell and not sys.stdin.isatty():
        raise Failure(USAGE, "--shell needs a terminal")
    with temporary_directory(options.keep) as temporary:
        need_room(temporary, 500)
        programs = find_programs(options, setups)
        engine = program_given("--engine", options.engine) if options.engine else None
        programs["init"] = build_init(cache)
        programs["engine"] = engine or build_engine(cache)
        runs = list_runs(options, choose_workloads(options, programs["engine"]))
        kernel = prepare_kernel(options, cache, temporary, setups)
        booter = Booter(options, machine, kernel, programs, runs, temporary)
        if options.shell:
            run_shell(setups, booter, fetch_shell(cache, suite_of(options, cache)))
            return 0
        try:
            booter.boot_all(setups)
        except (KeyboardInterrupt, Stopped):
            deliver(options, booter.rows_in_order(setups))
            raise
    rows = booter.rows_in_order(setups)
    deliver(options, rows)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(run_as("run.sh", main))
