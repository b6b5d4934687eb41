#!/usr/bin/env python3
"""Lists the skipped tests of a ctest run with their reasons.

usage: skipped-tests.py RESULTS.xml BUILD_DIR

RESULTS.xml is what ctest --output-junit wrote. Exit code 1 if a test was skipped that this machine
could have run: on a machine with /dev/fuse, as root, no mounted test may be skipped.
"""
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def reason_of(case):
    """The line that tells why: gtest's message after GTEST_SKIP, or a script's line 'skip: ...'."""
    output = case.findtext("system-out") or ""
    script = re.search(r"^(?:skip|skipped|SKIP): *(.+)$", output, re.M)
    if script:
        return script.group(1)
    gtest = re.search(r": Skipped\n(.+?)\n", output)
    if gtest:
        return gtest.group(1)
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def labels_by_test(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                             capture_output=True, check=True, text=True).stdout
    labels = {}
    for test in json.loads(listing)["tests"]:
        for entry in test.get("properties", []):
            if entry["name"] == "LABELS":
                labels[test["name"]] = set(entry["value"])
    return labels


def main():
    results, build = sys.argv[1:3]
    skipped = [case for case in ElementTree.parse(results).getroot().iter("testcase")
               if case.find("skipped") is not None]
    if not skipped:
        return 0
    labels = labels_by_test(build)
    able = os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)
    wrongly = []
    print(f"\nSkipped, {len(skipped)}:")
    for case in skipped:
        name = case.get("name")
        print(f"  {name}: {reason_of(case)}")
        if able and labels.get(name, set()) & {"mounted", "crash"}:
            wrongly.append(name)
    if wrongly:
        print(f"error: this machine has /dev/fuse and we are root, yet {len(wrongly)} mounted "
              "tests were skipped")
    return 1 if wrongly else 0


sys.exit(main())
