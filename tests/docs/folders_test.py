#!/usr/bin/env python3
"""Checks who includes whom in fusefs/ and tools/.

usage: folders_test.py SOURCE_DIR

A folder includes only itself and folders that stand before it in ORDER, so there are no cycles; what ALONE names
includes no more than stands there. A program's main may include everything. Exit code: 0 all good; 1 not.
"""

import os
import re
import subprocess
import sys

ORDER = [
    "fusefs/third_party", "fusefs/base", "fusefs/model", "fusefs/backing", "fusefs/power", "fusefs/faults", "fusefs/trace",
    "fusefs/file",
    "fusefs/journal", "fusefs/fuse", "fusefs/startup",
    "tools", "tools/schedule",
    "tools/mmapstress/result", "tools/mmapstress/system", "tools/mmapstress/workloads", "tools/mmapstress/report",
    "tools/mmapstress/verify", "tools/mmapstress/engine", "tools/mmapstress/explain", "tools/mmapstress/minimise",
    "tools/mmapstress/commands",
    "tools/vmmodel", "tools/vmmodel/machine", "tools/vmmodel/explore", "tools/vmmodel/simulate",
    "tools/vmmodel/predict", "tools/vmmodel/show", "tools/vmmodel/commands",
]
# What a folder, or all folders below a path, may include of the others. The model stays pure, and the tools share the
# model with the filesystem, but none of its I/O.
SHARED = {"fusefs/base", "fusefs/model", "tools", "tools/schedule"}
ALONE = {
    "fusefs/model": {"fusefs/base"},
    "tools/schedule": SHARED,
    "tools/mmapstress": SHARED | {folder for folder in ORDER if folder.startswith("tools/mmapstress")},
    "tools/vmmodel": SHARED | {folder for folder in ORDER if folder.startswith("tools/vmmodel")},
}
# Includes that break the order, each with its reason.
ALLOWED = {
    # Sizes and times in text become the model's types.
    ("fusefs/base/units.hpp", "fusefs/model/types.hpp"),
}
MAIN = re.compile(r"(^|/)\w*main\.cpp$")
GENERATED = "fusefs/version.hpp"


def folder_of(path):
    """The longest folder of ORDER that the file is in, or the file's own folder."""
    folder = os.path.dirname(path)
    return max((known for known in ORDER if (folder + "/").startswith(known + "/")), key=len, default=folder)


def complaint(file, header):
    """What is wrong with this include; empty if nothing is."""
    folder, included = folder_of(file), folder_of(header)
    if folder == included or header == GENERATED or (file, header) in ALLOWED or MAIN.search(file):
        return ""
    unknown = [name for name in (folder, included) if name not in ORDER]
    if unknown:
        return f"{unknown[0]} has no place in the order"
    if ORDER.index(included) > ORDER.index(folder):
        return f"{included} comes after {folder}"
    for path, allowed in ALONE.items():
        if (folder + "/").startswith(path + "/") and included not in allowed:
            return f"{path} may include only {', '.join(sorted(allowed))}"
    return ""


def main(source):
    files = subprocess.run(["git", "-C", source, "ls-files", "--cached", "--others", "--exclude-standard", "--",
                            "fusefs/*.[hc]pp", "tools/*.[hc]pp"],
                           capture_output=True, text=True, check=True).stdout.split()
    assert "fusefs/main.cpp" in files
    count = failures = 0
    for file in files:
        path = os.path.join(source, file)
        if not os.path.exists(path):  # deleted, but not committed yet
            continue
        with open(path, encoding="utf-8") as text:
            for header in re.findall(r'^#include "(.+)"', text.read(), re.M):
                count += 1
                wrong = complaint(file, header)
                if wrong:
                    failures += 1
                    print(f"FAILED: {file} includes {header}: {wrong}")
    print(f"{len(files)} files, {count} includes, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
