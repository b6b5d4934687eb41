#!/usr/bin/env python3
"""Measures filesystem workloads on a plain directory, on partialfs and on other mounts.

usage: filesystems.py BUILD_DIR [--rounds N] [--also NAME=PATH]... [--daemon NAME=PID]...
                      [--partialfs NAME=OPTIONS]... [--only WORKLOAD]... [--dir DIR] [--report FILE]
                      [--plot FILE.svg]

All places are measured in turn in every round, so that other load on the machine slows all of them alike. Printed are
medians, and the ratio to the plain directory (above 1: faster). CPU is the processor time of the workload and of the
daemon; for --also mounts the daemon counts if --daemon names its process.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from mounted import Mounted  # noqa: E402
from plot import write_svg  # noqa: E402
from programs import PROGRAMS, make_stock, measure_program  # noqa: E402

WORKLOADS = ["sequential-write", "read-cold", "read-warm", "random-write-fsync",
             "random-write-fdatasync", "random-read-warm", "mapped-sequential", "mapped-random", "mapped-1460",
             "small-files", *PROGRAMS]
IDLE = "idle-mapping"
ONLY_IF_NAMED = ["random-write-fsync-beside-4-gib"]


class Place:
    """A directory to measure in, and the process that serves it, if there is one."""

    def __init__(self, name, path, pid=None):
        self.name, self.path, self.pid = name, path, pid

    def cpu(self):
        """The CPU time that the process has used, in seconds; includes its ended threads."""
        if self.pid is None:
            return 0.0
        # The CPU clock of a process id: make_process_cpuclock() of the kernel.
        return time.clock_gettime(~self.pid << 3 | 2)

    def peak_rss_mib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def close(self):
        pass


class Partialfs(Place):
    """A mount by a partialfs daemon of its own, so that the daemon's CPU time and memory can be measured."""

    def __init__(self, name, build, directory, *options):
        source, mount = os.path.join(directory, name + ".source"), os.path.join(directory, name)
        os.makedirs(source)
        os.makedirs(mount)
        super().__init__(name, mount)
        self.mounted = Mounted(mount + ".log", os.path.join(build, "fusefs/partialfs"), source, mount,
                               "--contract", "linux-2.6.20", "--log-level", "error", *options)
        self.pid = self.mounted.pid

    def close(self):
        self.mounted.close()


def measure(build, stock, place, workload):
    if workload in PROGRAMS:
        return measure_program(workload, stock, place)
    program = [os.path.join(build, "tests/bench/fs_workload"), place.path, workload]
    cpu, result = {}, None
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, bufsize=1) as process:
        for line in process.stdout:
            where = line.strip()
            if where in ("begin", "end"):
                cpu[where] = place.cpu()
                process.stdin.write("\n")
            else:
                result = json.loads(line)
    if process.returncode != 0:
        sys.exit(f"filesystems.py: {workload} failed on {place.name}")
    result["daemon_cpu"] = cpu["end"] - cpu["begin"]
    return result


def report(results, places, rounds):
    plain = places[0].name
    print(f"\nmedians of {rounds} interleaved rounds; in brackets the ratio to '{plain}': "
          "speed (above 1 is faster) / CPU (above 1 is dearer)")
    width = max(map(len, results)) + 2
    print(f"{'workload':<{width}}" + "".join(f"{place.name:>30}" for place in places))
    summary = {}
    for workload in results:
        line, base = f"{workload:<{width}}", None
        for place in places:
            runs = results[workload][place.name]
            wall = statistics.median(run["wall"] for run in runs)
            cpu = statistics.median(run["cpu"] + run["daemon_cpu"] for run in runs)
            base = base or (wall, cpu)
            ratios = (base[0] / wall, cpu / max(base[1], 1e-6))
            rate = f"{runs[0]['amount'] / wall:.0f} {runs[0]['unit']}/s"
            line += f"{rate + f' ({ratios[0]:.2f}/{ratios[1]:.1f})':>30}"
            summary.setdefault(workload, {})[place.name] = {
                "wall": wall, "cpu": cpu, "speed_ratio": ratios[0], "cpu_ratio": ratios[1]}
        print(line)
    return summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--daemon", action="append", default=[], metavar="NAME=PID",
                        help="the process that serves an --also mount: its CPU time counts")
    parser.add_argument("--partialfs", action="append", default=[], metavar="NAME=OPTIONS",
                        help="one more partialfs, with these options: eager='--flush-policy eager'")
    parser.add_argument("--only", action="append", metavar="WORKLOAD")
    parser.add_argument("--dir", default=None, help="where to measure (default: a temporary one)")
    parser.add_argument("--report", metavar="FILE")
    parser.add_argument("--json", metavar="FILE", dest="report", help=argparse.SUPPRESS)  # its old name
    parser.add_argument("--plot", metavar="FILE.svg", help="the table as bars")
    arguments = parser.parse_args()
    workloads = arguments.only or WORKLOADS
    for workload in workloads:
        known = [*WORKLOADS, *ONLY_IF_NAMED, IDLE]
        if workload not in known:
            parser.error(f"no such workload: {workload}; there are {', '.join(known)}")

    try:
        daemons = {name: int(pid) for name, _, pid in
                   (daemon.partition("=") for daemon in arguments.daemon)}
    except ValueError:
        parser.error("--daemon wants NAME=PID")

    with tempfile.TemporaryDirectory(prefix="partialfs-bench-", dir=arguments.dir) as directory:
        plain = os.path.join(directory, "plain")
        os.makedirs(plain)
        stock = os.path.join(directory, "stock")
        os.makedirs(stock)
        workloads = make_stock(stock, workloads)
        places = [Place("plain", plain), Partialfs("partialfs", arguments.build, directory)]
        try:
            for other in arguments.partialfs:
                name, _, options = other.partition("=")
                places.append(Partialfs(name, arguments.build, directory, *shlex.split(options)))
            for other in arguments.also:
                name, _, path = other.partition("=")
                if not os.path.isdir(path):
                    parser.error(f"--also {other}: no such directory")
                places.append(Place(name, path, daemons.get(name)))
            results = {workload: {place.name: [] for place in places} for workload in workloads
                       if workload != IDLE}
            for number in range(arguments.rounds):
                for workload in results:
                    for place in places:
                        print(f"\rround {number + 1}: {workload} on {place.name}".ljust(70),
                              end="", file=sys.stderr, flush=True)
                        results[workload][place.name].append(
                            measure(arguments.build, stock, place, workload))
            summary = report(results, places, arguments.rounds)
            if arguments.plot:
                write_svg(arguments.plot, summary, [place.name for place in places])
            summary["peak_rss_mib"] = {place.name: place.peak_rss_mib() for place in places
                                       if place.pid is not None}
            print("\npeak resident memory of the daemon, with the dirty data it buffers: " +
                  ", ".join(f"{name} {rss:.0f} MiB"
                            for name, rss in summary["peak_rss_mib"].items()))
        finally:
            for place in places:
                place.close()
        if arguments.only is None or IDLE in arguments.only:
            prober = Partialfs("probed", arguments.build, directory, "--commit-interval", "50ms")
            try:
                idle = measure(arguments.build, stock, prober, IDLE)
            finally:
                prober.close()
            share = idle["daemon_cpu"] / idle["wall"]
            summary["idle_probe_share"] = share
            print(f"probing an idle, mapped 1 GiB file every 50 ms: {share:.1%} of a core")
        if arguments.report:
            with open(arguments.report, "w", encoding="ascii") as file:
                json.dump(summary, file, indent=2)
    return 0


sys.exit(main())
