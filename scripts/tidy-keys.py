#!/usr/bin/env python3
"""Prints, for each of our sources that a build compiles, a hash of everything that clang-tidy's result depends on.

usage: tidy-keys.py BUILD_DIR SALT <FILES

SALT is what all files share: clang-tidy's version and its settings. FILES are our sources and headers, one a line. A
line of output: the hash, a blank, the source. The hash covers the source and all of our headers that it includes,
directly or not.
"""

import functools
import hashlib
import json
import os
import re
import sys


def content(path):
    with open(path, "rb") as source:
        return source.read()


def main(build, salt):
    ours = sorted(line.rstrip("\n") for line in sys.stdin)
    known = set(ours)

    @functools.cache
    def includes(file):
        return {name for name in re.findall(r'^#include "(.+)"', content(file).decode(), re.M) if name in known}

    def closure(file):
        seen, waiting = set(), [file]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += includes(name)
        return sorted(seen)

    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as database:
        compiled = {os.path.relpath(os.path.join(build, entry["file"])) for entry in json.load(database)}
    for file in ours:
        if file.endswith(".cpp") and file in compiled:
            key = hashlib.sha256(salt.encode())
            for part in closure(file):
                key.update(part.encode() + b"\0" + content(part) + b"\0")
            print(key.hexdigest(), file)


main(*sys.argv[1:])
