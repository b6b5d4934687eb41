#!/usr/bin/env python3
"""Prints, for each of our sources that a build compiles, a hash of all that clang-tidy's verdict depends on.

usage: tidy-keys.py BUILD_DIR SALT <FILES

SALT is what all files have in common: clang-tidy's version and its settings. FILES are our sources and headers, a
line each. A line of output: the hash, a blank, the source. The hash covers the source and the headers of ours
that it was compiled with; if it was never compiled, all headers of ours.
"""

import hashlib
import json
import os
import subprocess
import sys


def content(path):
    with open(path, "rb") as source:
        return source.read()


def main(build, salt):
    ours = sorted(line.rstrip("\n") for line in sys.stdin)
    headers = [file for file in ours if file.endswith(".hpp")]

    def relative(path):
        return os.path.relpath(os.path.join(build, path))

    known = set(ours)
    included = {}  # by source: the files of ours that it was last compiled from
    deps = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True)
    for block in deps.stdout.split("\n\n"):
        files = [relative(line.strip()) for line in block.splitlines()[1:]]
        if files:
            included[files[0]] = sorted(known.intersection(files))
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as database:
        compiled = {relative(entry["file"]) for entry in json.load(database)}
    for file in ours:
        if file.endswith(".cpp") and file in compiled:
            key = hashlib.sha256(salt.encode())
            for part in included.get(file) or [file] + headers:
                key.update(part.encode() + b"\0" + content(part) + b"\0")
            print(key.hexdigest(), file)


main(*sys.argv[1:])
