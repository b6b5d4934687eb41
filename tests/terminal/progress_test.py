#!/usr/bin/env python3
"""A command that takes longer than 5 s says where it is, on standard error, also where that is no terminal.

usage: progress_test.py VMMODEL MMAPSTRESS

It says so once in 10 s, however many rounds and stages there are.

Exit code: 0 all good; 1 not.
"""

import re
import subprocess
import sys
import tempfile


def main(vmmodel, mmapstress):
    for arguments, words in (
            (["simulate", "--ops", "1000000000000"], r"0 %, [1-9]\d* operations"),
            (["table", "--pages", "2", "--processes", "2", "--stores", "9"], r"\d+ %, \d+ of 16 searches, [1-9]\d* states"),
            (["explore", "--pages", "2", "--processes", "2", "--stores", "9", "--era", "linux-2.6.27", "--all"],
             r"[1-9]\d* states")):
        with subprocess.Popen([vmmodel, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
            line = run.stderr.readline()  # waits for the line, however slow the machine is
            run.kill()
        if not re.fullmatch(rf"vmmodel: \d+ s, {words}\n", line):
            print(f"FAILED: {arguments[0]} says {line!r}")
            return 1
    with tempfile.TemporaryDirectory() as directory:
        said = subprocess.run([mmapstress, "run", directory, "--workload", "mix", "--duration", "9s"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False).stderr
    times = [int(seconds) for seconds in re.findall(r"^mmapstress: (\d+) s, ", said, re.M)]
    if not times or any(later - time < 10 for time, later in zip(times, times[1:])):
        print(f"FAILED: mmapstress says {said!r}")
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
