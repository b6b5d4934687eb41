#!/usr/bin/env python3
"""What the programs colour: on a terminal damage and losses are red, what is clean green, what could not be told
yellow; nothing with NO_COLOR or TERM=dumb, nothing where the output is no terminal.

usage: colours_test.py MMAPSTRESS VMMODEL

Exit code: 0 all good; 1 not.
"""

import glob
import os
import pty
import re
import subprocess
import sys
import tempfile

RED, GREEN, YELLOW, END = "\033[1;31m", "\033[1;32m", "\033[1;33m", "\033[0m"
COLOUR = re.compile(r"\033\[[0-9;]*m")
failures = 0


def check(good, message):
    global failures
    if not good:
        failures += 1
        print("FAILED: " + message)


def on_terminal(command, keys=b"", **environment):
    """What `command` writes to a terminal of its own while `keys` are typed."""
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, env | {"TERM": "xterm"} | environment)
    said = b""
    os.write(terminal, keys)
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the child has ended
            break
        if not part:
            break
        said += part
    os.close(terminal)
    os.waitpid(child, 0)
    return said.decode().replace("\r\n", "\n")


def expect(command, *coloured):
    """Expects each (colour, text) of `coloured` in the output of `command` on a terminal, and no colour elsewhere."""
    said = on_terminal(command)
    name = " ".join(command[1:3])
    for colour, text in coloured:
        check(re.search(re.escape(colour) + text + re.escape(END), said),
              f"{name}: no {text!r} in its colour on a terminal: {said!r}")
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        check(not COLOUR.search(on_terminal(command, **environment)), f"{name}: coloured with {environment}")
    check(COLOUR.search(on_terminal(command, NO_COLOR="")), f"{name}: an empty NO_COLOR is none")
    piped = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TERM": "xterm"})
    check("\033" not in piped.stdout + piped.stderr, f"{name}: escape sequences in a pipe")


def main(mmapstress, vmmodel):
    few = ["--stores", "2", "--writes", "0", "--commits", "1", "--writepages", "1", "--msyncs", "0"]
    expect([vmmodel, "explore", "--filesystem", "eager", *few], (RED, "a store is lost: [^\033]*"))
    expect([vmmodel, "explore", "--era", "linux-2.6.23", *few],
           (GREEN, "no store can be lost within these bounds"))
    expect([vmmodel, "explore", "--era", "linux-2.6.23", "--memory", "1MiB"],
           (YELLOW, "no harm found, but the search is incomplete"))
    expect([vmmodel, "table", "--blocks", "1", *few], (RED, "store, commit, store, writepage"), (GREEN, "never"))
    expect([vmmodel, "simulate", "--ops", "100000"], (RED, "[1-9][0-9]* lost"))
    expect([vmmodel, "simulate", "--ops", "100000", "--era", "linux-2.6.23"], (GREEN, "0 lost"))
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        said = on_terminal([vmmodel, "play", "--filesystem", "eager"], b"lq", **environment)
        check(bool(COLOUR.search(said)) == coloured, f"play with {environment}: {said!r}")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        schedule = os.path.join(work, "schedule")
        with open(schedule, "w", encoding="utf-8") as file:
            file.write("mmapstress-schedule 1\nseed 1\nblock 1024\nfile 0 size=8192 start=written+fsync\n"
                       "1 write file=0 off=0 len=9\n2 store file=0 off=0 len=9\n3 commit\n"
                       "4 store file=0 off=0 len=9\n5 fsync file=0\n")
        expect([vmmodel, "predict", schedule], (RED, "file 0 offset 0 length 9"))
        expect([vmmodel, "predict", "--era", "linux-2.6.20", schedule], (GREEN, "no byte will be lost"))
        report = os.path.join(work, "report")
        run = subprocess.run([mmapstress, "run", work, "--workload", "recipe", "--size", "64KiB", "--keep",
                              "--report", report], capture_output=True, text=True)
        if run.returncode != 0:  # on a tmpfs, whose pages cannot be evicted
            check(run.returncode == 3, f"run: {run}")
            expect([mmapstress, "run", work, "--workload", "recipe", "--size", "64KiB"], (YELLOW, "[^\033]+"))
        else:
            expect([mmapstress, "verify", work, report], (GREEN, "[^\033]*clean[^\033]*"))
            [kept] = glob.glob(os.path.join(work, "mmapstress*/*0*"))
            with open(kept, "r+b") as file:
                file.seek(100)
                file.write(b"not what was stored")
            expect([mmapstress, "verify", work, report], (RED, "[^\033]*DAMAGED[^\033]*"))
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
