#!/usr/bin/env python3
"""Tests scripts/skipped-tests.py: which skips it reports as wrong, and its exit code.

usage: skipped_test.py SOURCE_DIR
"""
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(sys.argv.pop(1)) / "scripts" / "skipped-tests.py"
spec = importlib.util.spec_from_file_location("skipped_tests", SCRIPT)
skipped_tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(skipped_tests)

ALL = {"root", "mount", "fuse", "loop"}


class CouldHaveRun(unittest.TestCase):
    def test_every_held_label_where_the_machine_has_all(self):
        for label in ("mounted", "crash", "loop", "apps", "package"):
            self.assertTrue(skipped_tests.could_have_run({label}, "out of sorts", ALL), label)
            for lacking in skipped_tests.NEEDS[label]:
                self.assertFalse(skipped_tests.could_have_run({label}, "out of sorts", ALL - {lacking}), label)

    def test_other_labels_may_skip(self):
        self.assertFalse(skipped_tests.could_have_run({"qemu"}, "out of sorts", ALL))
        self.assertFalse(skipped_tests.could_have_run(set(), "out of sorts", ALL))

    def test_excuses(self):
        for reason in ("debootstrap is not installed", "/sbin/mount.fuse3 is missing (package fuse3)",
                       "a loop device cannot be mounted here: mount: unknown filesystem type 'xfs'",
                       "strace may not trace here", "no memory control group may be made here"):
            self.assertFalse(skipped_tests.could_have_run({"mounted"}, reason, ALL), reason)
        self.assertTrue(skipped_tests.could_have_run({"mounted"}, "/dev/fuse is missing: mounted tests need it", ALL))

    def test_a_mounted_test_that_lacks_a_loop_device(self):
        reason = "a loop device cannot be mounted here: mount: failed to setup loop device"
        self.assertFalse(skipped_tests.could_have_run({"mounted"}, reason, ALL - {"loop"}))
        self.assertTrue(skipped_tests.could_have_run({"mounted"}, reason, ALL))


class ExitCode(unittest.TestCase):
    def run_with(self, label):
        with tempfile.TemporaryDirectory() as build:
            pathlib.Path(build, "CTestTestfile.cmake").write_text(
                f'add_test(one "true")\nset_tests_properties(one PROPERTIES LABELS "{label}")\n', "utf-8")
            results = pathlib.Path(build, "results.xml")
            results.write_text('<testsuite><testcase name="one"><skipped/>'
                               '<system-out>skip: out of sorts\n</system-out></testcase></testsuite>', "utf-8")
            return subprocess.run([sys.executable, SCRIPT, results, build], capture_output=True, text=True,
                                  check=False)

    def test_is_1_only_for_a_test_that_could_have_run(self):
        ran = self.run_with("unit")
        self.assertEqual((ran.returncode, "one: out of sorts" in ran.stdout), (0, True), ran)
        ran = self.run_with("mounted")
        able = skipped_tests.NEEDS["mounted"] <= skipped_tests.abilities()
        self.assertEqual((ran.returncode, "error: " in ran.stdout), (int(able), able), ran)


unittest.main()
