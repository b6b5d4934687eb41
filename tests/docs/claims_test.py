#!/usr/bin/env python3
"""Checks that the table of fusefs/power/README.md, "Beside other tools", names tests that exist.

usage: claims_test.py SOURCE_DIR

Each row must name at least one, in its last column: a test of a test program as Suite.Name, or one of CTest's by its
name. Exit code: 0 all good; 1 not.
"""

import pathlib
import re
import sys


def tests_of(source):
    """The names of all tests: Suite.Name of the C++ sources, and what CMake adds."""
    names = set()
    for path in (source / "tests").rglob("*.cpp"):
        names.update(f"{suite}.{name}" for suite, name in
                     re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", path.read_text(encoding="utf-8"), re.MULTILINE))
    for path in (source / "tests").rglob("CMakeLists.txt"):
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r"add_test\(NAME (\S+)", text))
        names.update(f"apps.{name}" for name in re.findall(r"partialfs_apps_test\((\w+)", text))
    return names


def main(source):
    readme = (source / "fusefs/power/README.md").read_text(encoding="utf-8")
    table = readme.split("## Beside other tools\n")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    known = tests_of(source)
    wrong = [f"no test: {row}" for row in rows if not re.findall(r"`[^`]+`", row.split("|")[-2])]
    wrong += [f"there is no test {name}" for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[-2])
              if name not in known]
    print("\n".join(wrong) or f"{len(rows)} rows")
    return 1 if wrong or len(rows) < 6 else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
