#!/usr/bin/env python3
"""Every --help of the scripts, held to the rules that all of them follow.

usage: scripts_help_test.py SOURCE_DIR

- Each begins with a sentence, and ends with an example, which begins with the script's path.
- An older name of an option is understood and not shown; a TIME comes with its units.
- What is mistyped is named, and --help.

Exit code: 0 all good; 1 not.
"""
import subprocess
import sys

SCRIPTS = ("apps/run.sh", "bench.sh", "install-deps.sh", "kernels/compare.sh", "kernels/loop-cuts.sh", "kernels/run.sh",
           "lint.sh", "reproduce.sh", "soak.sh", "test.sh")
OLDER = ("--json", "--oldkernel", "table|")


def complaints(root, script):
    path = f"{root}/scripts/{script}"
    said = subprocess.run([path, "--help"], capture_output=True, text=True, check=False)
    if said.returncode != 0 or said.stderr:
        yield f"exit code {said.returncode}, {said.stderr}"
    if f"\n\nExample: scripts/{script} " not in said.stdout:
        yield "no example"
    for word in OLDER:
        if word in said.stdout:
            yield f"{word} is shown"
    if " TIME " in said.stdout and " s, min or h" not in said.stdout:
        yield "no units of a time"
    wrong = subprocess.run([path, "--hepl", "."], capture_output=True, text=True, check=False)
    if wrong.returncode != 2 or "'--hepl'; see --help\n" not in wrong.stderr or wrong.stdout:
        yield f"--hepl: exit code {wrong.returncode}, {wrong.stdout}{wrong.stderr}"


def main(root):
    found = [f"{script}: {words}" for script in SCRIPTS for words in complaints(root, script)]
    for script in ("reproduce.sh", "soak.sh"):
        said = [subprocess.run([f"{root}/scripts/{script}", option], capture_output=True, text=True, check=False).stdout
                for option in ("-V", "--version")]
        if said[0] != said[1] or not said[0].startswith(f"{script} 1."):
            found.append(f"{script} -V: {said}")
    print("\n".join(f"FAILED: {words}" for words in found) or f"{len(SCRIPTS)} helps")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
