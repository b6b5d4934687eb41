#!/usr/bin/env python3
"""Lists the skipped tests of a ctest run with their reasons.

usage: skipped-tests.py RESULTS.xml BUILD_DIR

RESULTS.xml is the output of ctest --output-junit. Exit code 1 if a test was skipped that this machine could have
run: where root may mount and /dev/fuse and loop devices work, the tests that need them (labels in NEEDS) may be
skipped only for the reasons in EXCUSES. Tests of other labels may be skipped: those in QEMU, for example, also need
a kernel fetched from Debian.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree


# What the tests of a label need from the machine.
NEEDS = {
    "mounted": {"root", "mount", "fuse"},
    "crash": {"root", "mount", "fuse"},
    "apps": {"root", "mount", "fuse"},
    "package": {"root", "mount", "fuse"},
    "loop": {"root", "mount", "loop"},
}

# Reasons that depend on the machine, whatever its abilities.
EXCUSES = re.compile(r"is not installed|is missing \(|unknown filesystem type|may not trace here"
                     r"|no memory control group may be made|a sanitizer's runtime needs")

# In a mount namespace of its own, so that nothing stays mounted; unmounting also removes a loop device.
MOUNT = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         "mount -t tmpfs none \"$1\"", "sh"]
LOOP = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
        "PATH=$PATH:/sbin:/usr/sbin; mount -t tmpfs none \"$1\" && truncate -s 8M \"$1/image\" && "
        "mkfs.ext4 -q \"$1/image\" && mkdir \"$1/to\" && mount -o loop \"$1/image\" \"$1/to\"", "sh"]


def succeeds(command):
    with tempfile.TemporaryDirectory() as directory:
        return subprocess.run([*command, directory], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0


def abilities():
    """What of NEEDS this machine and this user can do."""
    can = set()
    if os.geteuid() == 0:
        can.add("root")
    if os.access("/dev/fuse", os.R_OK | os.W_OK):
        can.add("fuse")
    if "root" in can and succeeds(MOUNT):
        can.add("mount")
        if succeeds(LOOP):
            can.add("loop")
    return can


def could_have_run(labels, reason, can):
    """Whether a test with these labels, skipped for this reason, had everything that it needs."""
    held = labels & NEEDS.keys()
    if not held or EXCUSES.search(reason):
        return False
    needs = set().union(*(NEEDS[label] for label in held))
    if "loop device" in reason:
        needs |= NEEDS["loop"]
    return needs <= can


def reason_of(case):
    """The line with the reason: gtest's message after GTEST_SKIP, or a script's line 'skip: ...'."""
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
    can = abilities()
    wrongly = []
    print(f"\nSkipped, {len(skipped)}:")
    for case in skipped:
        name = case.get("name")
        reason = reason_of(case)
        print(f"  {name}: {reason}")
        if could_have_run(labels.get(name, set()), reason, can):
            wrongly.append(name)
    if wrongly:
        print(f"error: skipped, though this machine has all that they need "
              f"({', '.join(sorted(can))}): {', '.join(wrongly)}")
    return 1 if wrongly else 0


if __name__ == "__main__":
    sys.exit(main())
