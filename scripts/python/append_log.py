#!/usr/bin/env python3
"""An example of a test like Jepsen's: clients, a nemesis, a history, and a checker of the history.

    append_log.py [--seed N] [--operations N] [--client rewrite|retry|trust] [OPTION-OF-PARTIALFS...]

Clients append records to a log and call fsync; a record is acknowledged when fsync succeeds. A nemesis meanwhile makes
the disk refuse writes, fail syncs and be slow (and cuts the power, with --power among the options). In the end the log is
read from the disk: a record that was acknowledged and is not there is lost. The client is the thing under test, when fsync fails:

    rewrite   writes the record again, and calls fsync, until that succeeds: right with --after-write-error keep and
              clean, and wrong with forget (Linux before 4.13), as the error may have been reported to another client
    retry     calls fsync again, until it succeeds: what PostgreSQL did before 2018. Right with keep, wrong with clean
    trust     acknowledges without fsync: wrong as soon as anything fails

Exit code: 0, nothing acknowledged is lost; 1, something is; 2, usage.
"""
import argparse
import os
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from partialfs import Mount  # noqa: E402  pylint: disable=wrong-import-position

RECORD = 4096  # bytes: one page each, so that the write of a neighbour saves no record
CLIENTS = 3


def record(value):
    """The bytes of a record."""
    return f"{value}\n".encode().ljust(RECORD, b".")


class History:
    """The events in order: what was invoked, and its result."""

    def __init__(self):
        self._lock = threading.Lock()
        self.events = []

    def add(self, process, event, operation):
        """`event` is invoke, ok, fail or info."""
        with self._lock:
            self.events.append((time.monotonic(), process, event, operation))

    def acknowledged(self):
        """The records that a client reported as safe."""
        return {operation[1] for _, _, event, operation in self.events if event == "ok" and operation[0] == "append"}


class Client:
    """Appends a record, and returns once it believes the record safe."""

    def __init__(self, path, manner):
        self._path, self._manner = path, manner

    def append(self, value):
        """Raises OSError if it gives up."""
        log = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o644)
        try:
            os.pwrite(log, record(value), value * RECORD)
            for attempt in range(200):
                try:
                    if self._manner != "trust":
                        os.fsync(log)
                    return
                except OSError:
                    if attempt == 199:
                        raise
                    if self._manner == "rewrite":
                        os.pwrite(log, record(value), value * RECORD)
        finally:
            os.close(log)


def nemesis(mount, rng, power, stop, history):
    """Disturbs the disk in one way after the other until it is stopped; then removes all faults."""
    while not stop.wait(rng.uniform(0.005, 0.03)):
        deed = rng.choice(["pwrite EIO count=2", "pwrite torn=512 count=1", "fdatasync EIO count=1", "fsync EIO count=1",
                           "fdatasync delay=20ms count=3", *["cut"] * power])
        history.add("nemesis", "info", (deed,))
        if deed == "cut":
            mount.power.cut_and_on(tear=512, seed=rng.randrange(1000))
        else:
            mount.faults.replace(deed)
    mount.faults.replace()


def work(client, name, values, history):
    """The thread of one client."""
    for value in values:
        history.add(name, "invoke", ("append", value))
        try:
            client.append(value)
            history.add(name, "ok", ("append", value))
        except OSError as error:
            history.add(name, "fail" if error.errno is None else "info", ("append", value))


def run(directory, seed, operations, manner, options):
    """Runs the test. Returns the acknowledged records, and those of them that are not on disk."""
    history, stop = History(), threading.Event()
    with Mount(directory, "--contract", "linux-2.6.20", "--commit-interval", "5ms", *options) as mount:
        clients = [threading.Thread(target=work, args=(Client(mount.path / "log", manner), number,
                                                       range(number, operations, CLIENTS), history))
                   for number in range(CLIENTS)]
        evil = threading.Thread(target=nemesis, args=(mount, random.Random(seed), "--power" in options, stop, history))
        for thread in [evil, *clients]:
            thread.start()
        for thread in clients:
            thread.join()
        stop.set()
        evil.join()
    disk = (mount.source / "log").read_bytes()
    acknowledged = history.acknowledged()
    return acknowledged, {value for value in acknowledged if disk[value * RECORD:(value + 1) * RECORD] != record(value)}


def main():
    """Runs the test in a temporary directory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operations", type=int, default=300)
    parser.add_argument("--client", choices=["rewrite", "retry", "trust"], default="rewrite")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as directory:
        acknowledged, lost = run(directory, arguments.seed, arguments.operations, arguments.client, options)
    print(f"{len(acknowledged)} of {arguments.operations} records acknowledged, {len(lost)} of them lost:",
          " ".join(map(str, sorted(lost)[:10])) or "none")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
