#!/usr/bin/python3
"""How a check of files counts that ends with its process (scripts/apps/support/cuts.py)."""

import os
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/apps/support"))
import cuts  # noqa: E402


def work(_directory, acknowledge):
    for number in range(1, 100):
        acknowledge(number)


def ends_by(number):
    def check(_directory, _acknowledged):
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return check


def fails(_directory, _acknowledged):
    sys.stderr = open(os.devnull, "w", encoding="ascii")  # no traceback among the test's output
    raise OSError("the check itself")


class Checks(unittest.TestCase):
    def judge(self, check):
        with tempfile.TemporaryDirectory() as directory:
            return cuts.judge(directory, 1, work, check)

    def test_what_the_check_finds_is_the_result(self):
        self.assertIsNone(self.judge(lambda *_: None))
        self.assertEqual(self.judge(lambda _, acknowledged: f"after {acknowledged}"), f"after {cuts.STEPS_ELSEWHERE}")

    def test_a_library_that_crashes_on_its_files_has_found_damage(self):
        for number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS):
            self.assertIn(number.name, self.judge(ends_by(number)))

    def test_any_other_end_is_no_result(self):
        for check in (ends_by(signal.SIGKILL), fails):
            with self.assertRaises(RuntimeError):
                self.judge(check)


if __name__ == "__main__":
    unittest.main()
