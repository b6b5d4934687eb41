#!/usr/bin/env python3
"""Measures filesystem workloads on a plain directory, on partialfs and on other mounts.

usage: filesystems.py BUILD_DIR [--rounds N] [--also NAME=PATH]... [--only WORKLOAD]...
                      [--dir DIR] [--json FILE]

All places are measured in turn in every round, so that whatever else the machine does falls on all
of them alike; printed are medians and the ratio to the plain directory (above 1: faster than it).
CPU is the workload's and, on partialfs, the daemon's.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

WORKLOADS = ["sequential-write", "read-cold", "read-warm", "random-write-fsync", "random-read-warm",
             "mapped-sequential", "mapped-random", "mapped-1460", "small-files"]
IDLE = "idle-mapping"
TICKS = os.sysconf("SC_CLK_TCK")


class Place:
    """A directory to measure in."""

    def __init__(self, name, path):
        self.name, self.path = name, path

    def cpu(self):
        return 0.0

    def close(self):
        pass


class Partialfs(Place):
    """A partialfs mount of its own daemon, so that its CPU time and memory can be read."""

    def __init__(self, name, build, directory, *options):
        source, mount = os.path.join(directory, name + ".source"), os.path.join(directory, name)
        os.makedirs(source)
        os.makedirs(mount)
        super().__init__(name, mount)
        self.daemon = subprocess.Popen(
            [os.path.join(build, "fusefs/partialfs"), source, mount, "-f",
             "--contract", "linux-2.6.20", "--log-level", "error", *options])
        while not os.path.ismount(mount):
            if self.daemon.poll() is not None:
                sys.exit("filesystems.py: partialfs did not start")
            time.sleep(0.01)

    def cpu(self):
        with open(f"/proc/{self.daemon.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_rss_mib(self):
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def close(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait()


def measure(build, place, workload):
    program = [os.path.join(build, "tests/bench/fs_workload"), place.path, workload]
    before = place.cpu()
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("ready"):
                before = place.cpu()
                continue
            result = json.loads(line)
    if process.returncode != 0:
        sys.exit(f"filesystems.py: {workload} failed on {place.name}")
    result["daemon_cpu"] = place.cpu() - before
    return result


def report(results, places, rounds):
    plain = places[0].name
    print(f"\nmedians of {rounds} interleaved rounds; in brackets the ratio to '{plain}': "
          "speed (above 1 is faster) / CPU (above 1 is dearer)")
    print(f"{'workload':<20}" + "".join(f"{place.name:>30}" for place in places))
    summary = {}
    for workload in results:
        line, base = f"{workload:<20}", None
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
    parser.add_argument("--only", action="append", metavar="WORKLOAD")
    parser.add_argument("--dir", default=None, help="where to measure (default: a temporary one)")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    workloads = arguments.only or WORKLOADS
    for workload in workloads:
        if workload not in WORKLOADS + [IDLE]:
            parser.error(f"no such workload: {workload}; there are {', '.join(WORKLOADS + [IDLE])}")

    with tempfile.TemporaryDirectory(prefix="partialfs-bench-", dir=arguments.dir) as directory:
        plain = os.path.join(directory, "plain")
        os.makedirs(plain)
        mount = Partialfs("partialfs", arguments.build, directory)
        places = [Place("plain", plain), mount]
        try:
            for other in arguments.also:
                name, _, path = other.partition("=")
                if not os.path.isdir(path):
                    parser.error(f"--also {other}: no such directory")
                places.append(Place(name, path))
            results = {workload: {place.name: [] for place in places} for workload in workloads
                       if workload != IDLE}
            for number in range(arguments.rounds):
                for workload in results:
                    for place in places:
                        print(f"\rround {number + 1}: {workload} on {place.name}".ljust(70),
                              end="", file=sys.stderr, flush=True)
                        results[workload][place.name].append(
                            measure(arguments.build, place, workload))
            summary = report(results, places, arguments.rounds)
            rss = mount.peak_rss_mib()
            print(f"\npeak resident memory of the daemon: {rss:.0f} MiB, "
                  "buffered dirty data (at most the dirty limit, 256 MiB) included")
        finally:
            for place in places:
                place.close()
        summary["peak_rss_mib"] = rss
        if arguments.only is None or IDLE in arguments.only:
            prober = Partialfs("probed", arguments.build, directory, "--commit-interval", "50ms")
            try:
                idle = measure(arguments.build, prober, IDLE)
            finally:
                prober.close()
            share = idle["daemon_cpu"] / idle["wall"]
            summary["idle_probe_share"] = share
            print(f"probing an idle, mapped 1 GiB file every 50 ms: {share:.1%} of a core")
        if arguments.json:
            with open(arguments.json, "w", encoding="ascii") as file:
                json.dump(summary, file, indent=2)
    return 0


sys.exit(main())
