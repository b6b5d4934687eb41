#!/usr/bin/env python3
"""Runs the example of fusefs/power/README.md as a reader would, and compares what it prints.

usage: power_example_test.py SOURCE_DIR PARTIALFS

The example is the lines after a `$`, in one shell, and the lines after each are what it must print. It must also be
shorter than what the README shows for LazyFS. Exit code: 0 all good; 1 not; 77 mounting is impossible here.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile


def blocks(text):
    """The indented blocks of a Markdown file, as lists of lines."""
    found, block = [], []
    for line in text.splitlines():
        if line.startswith("    "):
            block.append(line[4:])
        elif block:
            found.append(block)
            block = []
    return found + ([block] if block else [])


def main(source, partialfs):
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK):
        print("skip: root and /dev/fuse are needed")
        return 77
    with open(os.path.join(source, "fusefs/power/README.md"), encoding="utf-8") as file:
        all_blocks = blocks(file.read())
    example = next(block for block in all_blocks if block[0].startswith("$ "))
    theirs = next(block for block in all_blocks if "lazyfs" in " ".join(block))
    ours = [line for line in example if line.startswith("$ ")]
    before_looking = [line for line in ours if not re.search("grep|umount", line)]
    assert len(before_looking) < len(theirs), f"{len(before_looking)} steps here, {len(theirs)} in LazyFS"

    where = tempfile.mkdtemp(prefix="partialfs-example.")
    script = "".join(f"echo {i}:::\n{line[2:]}\n" for i, line in enumerate(ours))
    environment = dict(os.environ, PATH=os.path.dirname(partialfs) + ":" + os.environ["PATH"])
    try:
        said = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=where, env=environment,
                              capture_output=True, text=True, timeout=60, check=False)
    finally:
        subprocess.run(["umount", "-l", os.path.join(where, "mnt")], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(where, ignore_errors=True)
    expected = []
    for line in example:
        expected.append(f"{ours.index(line)}:::" if line.startswith("$ ") else line)
    if said.returncode != 0 or said.stdout.splitlines() != expected:
        print(f"FAILED ({said.returncode}): {said.stderr}\n--- printed:\n{said.stdout}--- expected:\n" +
              "\n".join(expected))
        return 1
    print(f"{len(ours)} commands")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
