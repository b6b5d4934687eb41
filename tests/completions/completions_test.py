#!/usr/bin/env python3
"""Checks the completions for bash and zsh against the programs themselves.

usage: completions_test.py bash|zsh COMPLETIONS_DIR PARTIALFS MMAPSTRESS VMMODEL

For each program and subcommand, a `-` or `--` must offer exactly the long options that its --help lists, and an
option with a fixed set of words must offer those that the program accepts. Exit code: 0 all good; 1 not; 77 the
shell is not installed.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT = 60  # seconds for a shell to complete everything


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def long_options(text):
    """The long options that a --help lists."""
    return set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.M))


def subcommands(text):
    return re.findall(r"^  ([a-z]+) ", text.split("Subcommands:")[1], re.M)


def words_of(text, option):
    """The words that a --help lists for an option, as in `the kernel: a, b, c (default: what the schedule says)`."""
    line = re.search(rf"^  (?:-\w,)?{option} .*$(?:\n {{20,}}.*$)*", text, re.M)[0]
    line = re.sub(r"\s*\(default: [^()]*\)", "", line)
    return set(re.findall(r"[\w.-]+", line.rsplit(":", 1)[1]))


class Expected:
    """What must be offered, by command line; for bash `--x=` is three words, as readline splits it."""

    def __init__(self, partialfs, mmapstress, vmmodel):
        self.exactly = {}  # command line -> the set that must be offered
        self.among = {}    # command line -> words that must be offered, perhaps with others
        helps = output(partialfs, "--help")
        self.exactly["partialfs --"] = long_options(helps)
        self.exactly["partialfs --contract="] = set(re.findall(r"linux-[0-9.]*[0-9](?:-[a-z]+)?", re.search(
            r"^  --contract .*", helps, re.M)[0]))
        self.exactly["partialfs --flush-policy="] = {"eager", "ext3", "writeback"}
        self.exactly["partialfs --block-size="] = {"512", "1024", "2048", "4096"}
        self.exactly["partialfs --probe="] = {"auto", "cachestat", "compare"}
        self.exactly["partialfs --log-level="] = {"trace", "debug", "info", "warning", "error", "off"}
        self.exactly["partialfs --log-level=w"] = {"warning"}
        self.among["partialfs -o "] = {"allow_other", "ro", "nosuid"}
        self.among["partialfs s"] = {"somewhere"}  # a directory that exists
        workloads = {line.split()[0] for line in output(mmapstress, "workloads").splitlines()
                     if re.match(r"[a-z]", line)}
        for name, program in (("mmapstress", mmapstress), ("vmmodel", vmmodel)):
            helps = output(program, "--help")
            self.among[f"{name} "] = set(subcommands(helps))
            for command in subcommands(helps):
                helps = output(program, command, "--help")
                self.exactly[f"{name} {command} --"] = long_options(helps)
                for option in ("--format", "--commit-by", "--era", "--filesystem", "--through"):
                    if option in long_options(helps):
                        self.exactly[f"{name} {command} {option} "] = words_of(helps, option)
                if "--skip" in long_options(helps):
                    self.exactly[f"{name} {command} --skip "] = {"live", "pread", "direct"}
                if "--workload" in long_options(helps):
                    self.exactly[f"{name} {command} --workload "] = workloads

    def lines(self):
        return list(self.exactly) + list(self.among)


def from_bash(directory, lines):
    """What bash offers, by command line."""
    answers = []
    for line in lines:
        # Readline splits at =, too, and adds an empty last word if the line ends in a blank.
        words = [word for word in re.split(r"\s+|(=)", line) if word]
        if line[-1] in " ":
            words.append("")
        program = words[0]
        script = ('compopt() { :; }; . "$1/$2.bash"; program=$2; shift 2; COMP_WORDS=("$@"); '
                  'COMP_CWORD=$(($# - 1)); COMPREPLY=(); '
                  'function=$(complete -p "$program" | sed -E "s/.*-F ([^ ]+).*/\\1/"); '
                  '"$function" "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        result = subprocess.run(["bash", "--norc", "-c", script, "bash", directory, program, *words],
                                capture_output=True, text=True, timeout=TIMEOUT)
        if result.returncode != 0 or result.stderr:
            sys.exit(f"bash, {line!r}: exit code {result.returncode}: {result.stderr}")
        answers.append({word for word in result.stdout.splitlines() if word})
    return dict(zip(lines, answers))


def from_zsh(directory, lines):
    """What zsh offers, by command line: asks an interactive shell on a terminal of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        cases, result = os.path.join(scratch, "cases"), os.path.join(scratch, "result")
        with open(cases, "w", encoding="utf-8") as out:
            out.write("".join(line + "\n" for line in lines))
        open(result, "w", encoding="utf-8").close()
        environment = os.environ | {"FUNCTIONS": directory, "CASES": cases, "RESULT": result, "TERM": "xterm",
                                    "HOME": scratch, "ZDOTDIR": scratch}
        child, terminal = pty.fork()
        if child == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
        said, end = b"", time.monotonic() + TIMEOUT
        asked = ran = False
        os.write(terminal, f". {HERE}/cases.zsh\n".encode())
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    piece = os.read(terminal, 65536)
                except OSError:  # the shell has ended
                    ran = True
                    break
                said += piece
            if not asked and b"\nready" in said:
                os.write(terminal, b"\x14")
                asked = True
        if not ran:
            os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)
        with open(result, encoding="utf-8") as source:
            answers = source.read().split(".\n") if ran else []
        if len(answers) != len(lines) + 1:
            sys.exit(f"zsh answered {len(answers) - 1} of {len(lines)} command lines:\n{said.decode(errors='replace')}")
        return {line: {word.rstrip("=/") for word in answer.splitlines() if word}
                for line, answer in zip(lines, answers)}


def main(shell, directory, *programs):
    if not shutil.which(shell):
        print(f"skip: {shell} is not installed")
        return 77
    expected = Expected(*programs)
    with tempfile.TemporaryDirectory() as scratch:
        os.mkdir(os.path.join(scratch, "somewhere"))
        os.chdir(scratch)
        offered = {"bash": from_bash, "zsh": from_zsh}[shell](os.path.abspath(directory), expected.lines())
        os.chdir("/")
    failures = 0
    for line, words in expected.exactly.items():
        if line.endswith("--"):
            offered[line] = {word for word in offered[line] if word.startswith("--")}
        if offered[line] != words:
            failures += 1
            print(f"FAILED: {shell}, {line!r}: missing {sorted(words - offered[line])}, "
                  f"too many {sorted(offered[line] - words)}")
    for line, words in expected.among.items():
        if not words <= offered[line]:
            failures += 1
            print(f"FAILED: {shell}, {line!r}: missing {sorted(words - offered[line])} of {sorted(offered[line])}")
    print(f"{shell}: {len(offered)} command lines, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 6 or sys.argv[1] not in ("bash", "zsh"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], os.path.abspath(sys.argv[2]), *map(os.path.abspath, sys.argv[3:])))
