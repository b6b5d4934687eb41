#!/usr/bin/python3
"""Tests of scripts/apps/support/judge.py: what it counts, what it finds in strace's output, what it accepts."""

import contextlib
import io
import json
import os
import random
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/apps/support"))
import judge  # noqa: E402


class Compare(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        for name in ("reference", "actual"):
            os.mkdir(os.path.join(self.directory.name, name))

    def tearDown(self):
        self.directory.cleanup()

    def put(self, where, name, content):
        path = os.path.join(self.directory.name, where, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content)

    def wrong(self, *ignored, random_names=""):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            judge.compare(*(os.path.join(self.directory.name, name) for name in ("reference", "actual")),
                          "\n".join(ignored), random_names)
        return json.loads(out.getvalue())

    def test_equal_files_have_no_wrong_byte(self):
        for where in ("reference", "actual"):
            self.put(where, "below/file", b"x" * 3_000_000)
        self.assertEqual(self.wrong(), {})

    def test_every_wrong_byte_is_found_wherever_it_is(self):
        dice = random.Random(1)
        for _ in range(30):
            content = dice.randbytes(dice.choice((1, 4095, 4096, 5000, 1 << 20, (1 << 20) + 5000)))
            bad = bytearray(content)
            places = set()
            for _ in range(dice.randint(1, 20)):
                start = dice.randrange(len(bad))
                places |= set(range(start, min(len(bad), start + dice.choice((1, 3, 9000)))))
            for place in places:
                bad[place] ^= dice.randint(1, 255)
            self.put("reference", "file", content)
            self.put("actual", "file", bytes(bad))
            found = [byte for start, end in self.wrong()["file"] for byte in range(start, end)]
            self.assertEqual(found, sorted(places))

    def test_a_byte_that_only_one_file_has_is_wrong(self):
        self.put("reference", "file", b"x" * 10)
        self.put("actual", "file", b"y" + b"x" * 6)
        self.assertEqual(self.wrong(), {"file": [[0, 1], [7, 10]]})

    def test_a_file_that_only_one_side_has_is_wrong(self):
        self.put("reference", "missing", b"abc")
        self.put("actual", "surplus", b"abcde")
        self.assertEqual(self.wrong(), {"missing": [[0, 3]], "surplus": [[0, 5]]})

    def test_what_is_ignored_may_differ(self):
        self.put("reference", "file", b"aaaaaaaaaa")
        self.put("actual", "file", b"bbbbbbbbbb")
        self.put("actual", "lock", b"x")
        self.assertEqual(self.wrong("lock", "file:2+3", "file:8+100"), {"file": [[0, 2], [5, 8]]})

    def test_what_has_another_name_in_each_run_is_found(self):
        self.put("reference", "run.a1b2/file", b"aaaa")
        self.put("actual", "run.XyZ/file", b"abaa")
        self.assertEqual(self.wrong(random_names=r"run\.[^/]*"), {"*/file": [[1, 2]]})
        self.put("actual", "run.other/file", b"abaa")
        with self.assertRaises(SystemExit):
            self.wrong(random_names=r"run\.[^/]*")

    def test_an_empty_reference_is_an_error(self):
        self.put("actual", "file", b"x")
        with self.assertRaises(SystemExit):
            self.wrong()


class Mapped(unittest.TestCase):
    def mapped(self, *lines):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as trace:
            trace.write("\n".join(lines) + "\n")
            trace.flush()
            return judge.mapped(trace.name, "/mnt")

    def test_shared_and_writable(self):
        self.assertEqual(self.mapped(
            "12 mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3</mnt/a>, 0) = 0x7f0000000000",
            "12 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_SHARED, 3</mnt/a b>, 0x1000) = 0x7f0000100000"), "rw")

    def test_made_writable_later(self):
        self.assertEqual(self.mapped(
            "12 mmap(NULL, 8192, PROT_READ, MAP_SHARED, 3</mnt/a>, 0) = 0x7f0000000000",
            "12 mprotect(0x7f0000001000, 4096, PROT_READ|PROT_WRITE) = 0"), "rw")

    def test_only_read(self):
        self.assertEqual(self.mapped(
            "12 mmap(NULL, 8192, PROT_READ, MAP_SHARED, 3</mnt/a>, 0) = 0x7f0000000000",
            "12 mprotect(0x7f0000100000, 4096, PROT_READ|PROT_WRITE) = 0"), "r")

    def test_private_or_elsewhere(self):
        self.assertEqual(self.mapped(
            "12 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE, 3</mnt/a>, 0) = 0x7f0000000000",
            "12 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_SHARED, 3</mnt2/a>, 0) = 0x7f0000000000",
            "12 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000"), "no")


class Lost(unittest.TestCase):
    def test_only_what_is_not_healed_and_not_ignored_counts(self):
        entries = [{"kind": "contract", "path": "a", "offset": 0, "length": 10, "healed_at": None},
                   {"kind": "contract", "path": "a", "offset": 20, "length": 10, "healed_at": 5},
                   {"kind": "cut", "path": "a", "offset": 40, "length": 10, "healed_at": None},
                   {"kind": "contract", "path": "lock", "offset": 0, "length": 10, "healed_at": None}]
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as ledger:
            ledger.write("\n".join(map(json.dumps, entries)) + "\n")
            ledger.flush()
            lost = judge.lost_ranges(ledger.name, judge.Ignored("lock\na:0+4"), judge.Names(""))
        self.assertEqual(judge.total(lost), 6)

    def test_a_full_ledger_does_not_say_what_is_lost(self):
        entries = [{"kind": "contract", "path": "a", "offset": 0, "length": 10, "healed_at": None},
                   {"not_kept": 1, "not_kept_bytes": 7, "kept_at_most": 1}]
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as ledger:
            ledger.write("\n".join(map(json.dumps, entries)) + "\n")
            ledger.flush()
            with self.assertRaisesRegex(judge.LedgerFull, "lacks 7 bytes"):
                judge.lost_ranges(ledger.name, judge.Ignored(""), judge.Names(""))

    def test_outside_counts_what_the_others_do_not_cover(self):
        self.assertEqual(judge.outside({"a": [(0, 10)]}, {}), 10)
        self.assertEqual(judge.outside({"a": [(0, 10)]}, {"a": [(8, 20), (2, 4)]}), 6)
        self.assertEqual(judge.outside({"a": [(0, 10), (30, 40)]}, {"a": [(0, 35), (3, 5)]}), 5)
        self.assertEqual(judge.outside({"a": [(0, 10)]}, {"b": [(0, 10)]}), 10)

    def test_outside_counts_as_counting_byte_by_byte_does(self):
        dice = random.Random(2)
        for _ in range(300):
            ranges, place = [], 0
            for _ in range(dice.randint(0, 8)):
                start = place + dice.randint(0, 5)
                place = start + dice.randint(1, 9)
                ranges.append((start, place))
            others = [(start, start + dice.randint(1, 12)) for start in
                      (dice.randint(0, 60) for _ in range(dice.randint(0, 8)))]
            bytes_of = [{byte for low, high in each for byte in range(low, high)} for each in (ranges, others)]
            self.assertEqual(judge.outside({"a": ranges}, {"a": others}), len(bytes_of[0] - bytes_of[1]),
                             (ranges, others))

    def test_many_ranges_do_not_take_for_ever(self):
        ranges = [(2 * i, 2 * i + 1) for i in range(100_000)]
        self.assertEqual(judge.outside({"a": ranges}, {"a": ranges}), 0)


class Expectation(unittest.TestCase):
    DAMAGED = {"verdict": "damaged", "wrong": 5, "lost": 5, "unexplained": 0, "by_chance": 0, "exact": True, "mapped": "rw", "checker": "bad"}
    GOOD = {"verdict": "good", "wrong": 0, "lost": 0, "unexplained": 0, "by_chance": 0, "exact": True, "mapped": "rw", "checker": "fine"}
    SILENT = DAMAGED | {"verdict": "good"}
    ERROR = DAMAGED | {"verdict": "error"}

    def accepted(self, run, expect, contract="linux-2.6.19"):
        return not judge.why_not(run | {"expect": expect, "contract": contract})

    def test_each_expectation_accepts_just_its_outcomes(self):
        outcomes = {"damaged": self.DAMAGED, "good": self.GOOD, "silent": self.SILENT, "error": self.ERROR}
        for expect, right in (("damaged", {"damaged"}), ("unnoticed", {"silent"}), ("immune", {"good"}),
                              ("sometimes", {"damaged", "good", "silent"}), ("sometimes-unnoticed", {"good", "silent"})):
            for name, run in outcomes.items():
                self.assertEqual(self.accepted(run, expect), name in right, (expect, name))

    def test_faults_and_power_cuts_are_expected_under_the_fix(self):
        for kind in ("fault", "power"):
            for name, run in (("safe", self.GOOD), ("damaged", self.DAMAGED | {"unexplained": 5})):
                self.assertTrue(self.accepted(run, f"{kind}-{name}", "linux-2.6.20"))
            self.assertFalse(self.accepted(self.DAMAGED, f"{kind}-safe", "linux-2.6.20"))
            self.assertFalse(self.accepted(self.GOOD, f"{kind}-damaged", "linux-2.6.20"))
            self.assertFalse(self.accepted(self.SILENT, f"{kind}-damaged", "linux-2.6.20"))

    def test_the_fix_is_always_to_be_clean(self):
        for expect in (name for name in judge.EXPECTATIONS if not name.startswith(("fault-", "power-"))):
            self.assertTrue(self.accepted(self.GOOD, expect, "linux-2.6.20"))
            for run in (self.DAMAGED, self.SILENT, self.ERROR):
                self.assertFalse(self.accepted(run, expect, "linux-2.6.20"))

    def test_an_error_without_a_word_is_one(self):
        for expect in judge.EXPECTATIONS:
            for contract in ("linux-2.6.19", "linux-2.6.20"):
                self.assertFalse(self.accepted(self.GOOD | {"verdict": "error", "checker": ""}, expect, contract))

    def test_what_does_not_fit_together_is_not_believed(self):
        self.assertFalse(self.accepted(self.DAMAGED | {"unexplained": 1}, "damaged"))
        self.assertFalse(self.accepted(self.DAMAGED | {"mapped": "no"}, "damaged"))
        self.assertFalse(self.accepted(self.DAMAGED | {"wrong": 0}, "sometimes"))
        self.assertFalse(self.accepted(self.GOOD | {"lost": 1, "by_chance": 1}, "immune"))
        self.assertFalse(self.accepted(self.GOOD | {"lost": 1, "by_chance": 1, "exact": False}, "immune"))

    def test_the_ledger_is_exact_unless_old_values_come_back(self):
        surplus = self.DAMAGED | {"lost": 6, "by_chance": 1}
        self.assertFalse(self.accepted(surplus, "damaged"))
        self.assertTrue(self.accepted(surplus | {"exact": False}, "damaged"))


if __name__ == "__main__":
    unittest.main()
