#!/usr/bin/python3
"""Interrupts a command once it has started QEMU, and checks that nothing of it is left.

    interrupt.py DIRECTORY COMMAND...     its temporary files are expected in DIRECTORY
"""
import os
import signal
import subprocess
import sys
import time


def processes_of(directory):
    """The command lines of the processes that have their temporary files in the directory, by process id: the
    command, and everything that it started, in whatever session and with whatever parent."""
    mark = f"TMPDIR={directory}".encode()
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                theirs = mark in file.read().split(b"\0")
            with open(f"/proc/{entry}/cmdline", encoding="utf-8") as file:
                line = file.read().replace("\0", " ")
        except OSError:
            continue
        if theirs:
            found[int(entry)] = line
    return found


def interrupted(directory, command, send):
    """What is wrong after `send` was called with the running command's process id, if anything."""
    # A background job of a script ignores SIGINT; a job on a terminal does not.
    process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL,
                               env={**os.environ, "TMPDIR": directory},
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        while not any(line.startswith("qemu-system") for line in processes_of(directory).values()):
            if process.poll() is not None:
                return f"ended by itself with exit code {process.returncode}"
            time.sleep(0.05)
        send(process.pid)
        process.wait()
        left = processes_of(directory)
        if left:
            return f"left running: {left}"
        if os.listdir(directory):
            return f"left behind: {os.listdir(directory)}"
        if process.returncode not in (130, 143):
            return f"exit code {process.returncode}"
        return None
    finally:
        for pid in processes_of(directory):
            os.kill(pid, signal.SIGKILL)


def main():
    directory, command = sys.argv[1], sys.argv[2:]
    ways = {"^C on the terminal": lambda pid: os.killpg(pid, signal.SIGINT),
            "SIGTERM to the script": lambda pid: os.kill(pid, signal.SIGTERM)}
    wrong = {name: interrupted(directory, command, send) for name, send in ways.items()}
    for name, what in wrong.items():
        print(f"{name}: {what or 'nothing is left'}")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
