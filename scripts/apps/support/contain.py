#!/usr/bin/python3
"""Runs a command, and leaves no process behind.

  contain.py SECONDS COMMAND [ARGUMENT...]

The command gets a session of its own and at most SECONDS. When it ends, when its time is over,
when this process gets SIGINT, SIGTERM or SIGHUP, or when its parent dies, every
process that the command started, its daemons too, is killed before this one exits.
Exit code: the command's; 128 + N if signal N killed it; 124 if its time was over;
130 if this process got one of these signals.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KILL_TIMEOUT = 10  # seconds; only a process stuck in the kernel survives longer


class ToldToEnd(Exception):
    pass


told = False


def tell_to_end(_number, _frame):
    """Raises once: ^C comes from the terminal and again, as SIGTERM, from run.sh, while this process cleans up."""
    global told
    if not told:
        told = True
        raise ToldToEnd


def descendants():
    """The ids of all living processes below this one. Orphans are included: this process is their reaper."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as source:
                    fields = source.read().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                parents[int(entry)] = int(fields[1])
    found, frontier = [], {os.getpid()}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier}
        found += frontier
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_all():
    end = time.monotonic() + KILL_TIMEOUT
    while living := descendants():
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        if time.monotonic() > end:
            print(f"contain.py: processes {living} cannot be killed", file=sys.stderr)
            return
        time.sleep(0.01)
    reap()


def main(arguments):
    global told
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    for option, value in ((PR_SET_CHILD_SUBREAPER, 1), (PR_SET_PDEATHSIG, signal.SIGTERM)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, tell_to_end)
    try:
        if os.getppid() != parent:
            raise ToldToEnd
        child = subprocess.Popen(arguments[1:], start_new_session=True)
        code = child.wait(float(arguments[0]))
        return code if code >= 0 else 128 - code
    except subprocess.TimeoutExpired:
        return 124
    except ToldToEnd:
        return 130
    except OSError as error:
        print(f"contain.py: {arguments[1]}: {error.strerror}", file=sys.stderr)
        return 127
    finally:
        told = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        kill_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
