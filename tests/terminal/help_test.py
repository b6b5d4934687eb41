#!/usr/bin/env python3
"""Every --help of the programs, held to the rules that all of them follow.

usage: help_test.py PARTIALFS MMAPSTRESS VMMODEL

- Each ends with an example, which begins with the program's name; so does the program's own.
- No value is called by its C++ type or followed by a validator's own words (`INT in [1 - 2]`, `SIZE:{a,b}`).
- What is written as the default of a value is one word.
- Where there is a SIZE or a TIME its units are told, the same ones everywhere.
- --format has the words text and json, the first of which is the default; --json is understood and not shown.
- What is mistyped is named, the nearest name is proposed, and the --help that is named is the command's own.

Exit code: 0 all good; 1 not.
"""

import os
import re
import subprocess
import sys

failures = 0
SIZE_UNITS = "KiB, MiB, GiB or TiB"
TIME_UNITS = "ms, s, min or h"


def check(good, message):
    global failures
    if not good:
        failures += 1
        print("FAILED: " + message)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def check_help(name, text):
    check(re.search(rf"\b{re.escape(name)}\b", text.partition("\nExample: ")[2]), f"{name} --help has no example")
    options = text.split("\nOptions:\n")[1].split("\n\n")[0]
    for left in re.findall(r"^  (\S.*?)(?:  |$)", text.split("Example")[0], re.M):
        check("=" not in left or " " not in left.partition("=")[2], f"{name} --help: {left}")
        check(not re.search(r"\b(?:UINT|INT|FLOAT|TEXT|ENUM)\b|[A-Z]:|\[[^]]*\]|\bin \{", left),
              f"{name} --help: {left}")
    check("SIZE" not in options or SIZE_UNITS in text, f"{name} --help does not tell the units of a size")
    check(" TIME" not in options or TIME_UNITS in text, f"{name} --help does not tell the units of a time")
    formats = re.search(r"^  --format (\S+) +(.*)$", options, re.M)
    if formats:
        check(formats[1] == "WORD=text" and formats[2].startswith("what is printed: text, json"),
              f"{name} --format: {formats[0]}")
    check("--json" not in text, f"{name} --help shows --json")


def check_mistakes(program, name, commands):
    for command in commands:
        said = run(program, command, "--hepl")
        check(said.returncode == 2 and said.stderr ==
              f"{name}: no such option: '--hepl'; did you mean '--help'?; see {name} {command} --help\n",
              f"{name} {command} --hepl: {said}")
        wrong = command[:-1] + "q" + command[-1]
        said = run(program, wrong)
        check(said.returncode == 2 and said.stderr ==
              f"{name}: no such command: '{wrong}'; did you mean '{command}'?; see {name} --help\n",
              f"{name} {wrong}: {said}")


def main(partialfs, mmapstress, vmmodel):
    helps = 0
    for program in (partialfs, mmapstress, vmmodel):
        name = os.path.basename(program)
        check(run(program, "-V").stdout == run(program, "--version").stdout, f"{name} -V")
        check(re.fullmatch(rf"{name} \d+\.\d+\.\d+\n", run(program, "-V").stdout), f"{name} -V: its own words")
        text = run(program, "--help").stdout
        check_help(name, text)
        parts = text.split("\nSubcommands:\n")
        commands = re.findall(r"^  ([a-z]+) ", parts[1], re.M) if len(parts) > 1 else []
        for command in commands:
            check_help(f"{name} {command}", run(program, command, "--help").stdout)
        check_mistakes(program, name, commands)
        helps += 1 + len(commands)
    both = [run(vmmodel, "simulate", "--ops", "9", option, *value).stdout for option, *value in
            (["--json"], ["--format", "json"])]
    times = [re.sub(r'"seconds": .*', "", text) for text in both]
    check(times[0] == times[1] and both[0].startswith("{"), f"--json is not --format json: {both}")
    print(f"{helps} helps, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
