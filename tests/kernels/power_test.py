#!/usr/bin/python3
"""Power cuts (scripts/kernels): the log of blklogwrites, the disks rebuilt from it, and the results of the
comparisons. Needs no QEMU."""

import json
import os
import struct
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/kernels")
sys.path[:0] = [SCRIPTS, os.path.join(SCRIPTS, "../support")]
from harness import base, blklog, cut_disk, cut_results, kernels, options, power  # noqa: E402
from harness.console import read_console  # noqa: E402
from results_test import BOOT, END, framed, program  # noqa: E402

SECTOR = blklog.SECTOR


def log_of(*entries):
    """A log's bytes: (sector, letters: one for each sector) for a write, None for a flush."""
    out = struct.pack("<QQQI", 0x6a736677736872, 1, len(entries), SECTOR).ljust(SECTOR, b"\0")
    for entry in entries:
        sector, letters = entry or (0, "")
        data = b"".join(letter.encode() * SECTOR for letter in letters)
        out += struct.pack("<QQQQ", sector, len(letters), 0 if entry else 1, len(data)).ljust(SECTOR, b"\0") + data
    return out


class Logs(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)

    def log(self, raw):
        (self.path / "log").write_bytes(raw)
        return blklog.Log(self.path / "log")

    def test_what_is_in_a_log(self):
        log = self.log(log_of((2, "ab"), None, (0, "c")))
        self.assertEqual([(one.sector, one.count, one.flush) for one in log.entries], [(2, 2, False), (0, 0, True), (0, 1, False)])
        self.assertIsNone(log.cut_short)

    def test_a_log_that_is_cut_short_has_what_is_whole(self):
        raw = log_of((2, "ab"), None, (0, "c"))
        for end in range(len(raw) - SECTOR + 1, len(raw), 100):
            log = self.log(raw[:end])
            self.assertEqual(len(log.entries), 2)
            self.assertIn("ends within entry 2", log.cut_short)
        self.assertEqual(len(self.log(raw[:-SECTOR]).entries) + len(self.log(raw + bytes(5 * SECTOR)).entries), 5)

    def test_what_is_no_log(self):
        for raw in (b"", b"text\n" * 200, bytes(9 * SECTOR)):
            with self.assertRaisesRegex(base.Failure, "log is no log of blklogwrites"):
                self.log(raw)
        with self.assertRaisesRegex(base.Failure, "version 7"):
            self.log(struct.pack("<QQQI", 0x6a736677736872, 7, 0, SECTOR).ljust(SECTOR, b"\0"))

    def rebuilt(self, log, cut):
        disk = self.path / "disk"
        disk.write_bytes(b"." * 8 * SECTOR)
        rebuilder = blklog.Rebuilder(log, disk)
        rebuilder.advance(cut.durable)
        cut_disk.copy_image(disk, self.path / "copy")
        rebuilder.add_pending(cut, self.path / "copy")
        raw = (self.path / "copy").read_bytes()
        return "".join(chr(raw[at]) for at in range(0, len(raw), SECTOR))

    def test_a_disk_has_what_was_flushed_and_any_part_of_the_rest(self):
        log = self.log(log_of((0, "ab"), None, (1, "cd"), (4, "e"), None, (0, "x")))
        self.assertEqual(self.rebuilt(log, blklog.Cut(2, 2, ())), "ab......")
        self.assertEqual(self.rebuilt(log, blklog.Cut(4, 2, ((3, None),))), "ab..e...")
        self.assertEqual(self.rebuilt(log, blklog.Cut(4, 2, ((2, (1,)),))), "abd.....")
        self.assertEqual(self.rebuilt(log, blklog.Cut(6, 5, ((5, None),))), "xcd.e...")

    def test_cuts_respect_flushes_and_the_notebook(self):
        entries = self.log(log_of(*[(number % 6, "ab") if number % 5 else None for number in range(60)])).entries
        cuts = blklog.choose_cuts(entries, 200, 3, first=10, always=lambda entry: entry.sector == 4)
        self.assertEqual(cuts, blklog.choose_cuts(entries, 200, 3, first=10, always=lambda entry: entry.sector == 4))
        torn = 0
        for cut in cuts:
            self.assertGreaterEqual(cut.moment, 10)
            self.assertTrue(entries[cut.durable - 1].flush)
            self.assertFalse(any(entry.flush for entry in entries[cut.durable:cut.moment]))
            kept = dict(cut.kept)
            self.assertTrue(all(cut.durable <= number < cut.moment for number in kept))
            for number in range(cut.durable, cut.moment):
                if entries[number].sector == 4:
                    self.assertIsNone(kept[number])  # complete
            torn += any(sectors is not None for sectors in kept.values())
        self.assertGreater(torn, 5)
        self.assertGreater(sum(cut.pending == 0 for cut in cuts), 50)
        self.assertGreater(sum(0 < len(cut.kept) < cut.pending for cut in cuts), 20)

    def test_without_flushes_a_disk_cache_is_not_endless(self):
        entries = self.log(log_of(*[(1, "a")] * 400)).entries
        self.assertEqual([blklog.certain(entries, moment) for moment in (10, 300, 400)], [0, 44, 144])
        self.assertEqual(blklog.certain(self.log(log_of((0, "a"), None, (1, "b"))).entries, 3), 2)

    def test_a_disk_that_lies_may_lose_what_it_had_flushed(self):
        entries = self.log(log_of(*[(1, "a"), None] * 50)).entries
        cuts = blklog.choose_cuts(entries, 50, 1, first=20, always=lambda _: False, lies=16)
        self.assertTrue(all(cut.durable == max(0, cut.moment - 16) for cut in cuts))
        self.assertTrue(any(len(cut.kept) < 8 for cut in cuts))

    def test_the_words_name_what_is_missing(self):
        log = self.log(log_of((0, "ab"), None, (1, "cd"), (4, "e")))
        self.assertEqual(power.describe(blklog.Cut(4, 2, ((2, (0,)),)), log),
                         "after entry 4 of 4, certain up to 2; missing: sector 1+2 (torn), sector 4+1")
        self.assertIn("no write was missing", power.describe(blklog.Cut(4, 2, ((2, None), (3, None))), log))


class Rows(unittest.TestCase):
    def rows(self, *arguments):
        parsed = options.parse_run(["--power-cut", *arguments])
        return parsed, power.list_rows(parsed)

    def test_controls_are_beside_what_is_tested(self):
        _, rows = self.rows("--fs", "xfs", "--controls")
        self.assertEqual([(row.name, row.control) for row in rows], [
            ("xfs/4096", False), ("ext4-writeback/4096, nobarrier", True), ("ext4/4096, disk lies", True),
            ("ext4/4096, fsync-does-not-wait", True)])
        self.assertEqual([row.control for row in self.rows("--disk-lies")[1]], [True])

    def test_a_control_has_fewer_cuts(self):
        parsed, rows = self.rows("--fs", "xfs", "--controls", "--cuts", "120")
        asked = []

        def recorded(row, kernel, _number, cuts):
            asked.append((row.name, kernel.release, cuts))
            return cut_results.empty_part(kernel.release, 0, cuts) | {"checked": cuts}
        with tempfile.TemporaryDirectory() as directory:
            cuts = power.PowerCuts(parsed, None, lambda mutant: kernels.Kernel("debian", mutant or "6.1", {}), {},
                                   Path(directory), base.Cache(directory))
            with mock.patch.object(cuts, "_record_and_cut", recorded):
                cuts.run(rows)
        self.assertEqual(asked, [("xfs/4096", "6.1", 100), ("xfs/4096", "6.1", 20), ("ext4-writeback/4096, nobarrier", "6.1", 50),
                                 ("ext4/4096, disk lies", "6.1", 50),
                                 ("ext4/4096, fsync-does-not-wait", "fsync-does-not-wait", 50)])

    def test_records_that_had_synced_nothing_have_others_in_their_place(self):
        parsed, rows = self.rows("--cuts", "150")
        asked = []

        def recorded(_row, kernel, number, cuts):
            asked.append((number, cuts))
            part = cut_results.empty_part(kernel.release, 0, 24)
            return part | ({"nothing_synced": 24} if number in self.silent else {"cuts": cuts, "checked": cuts})
        for self.silent, expected in (((1,), [(0, 100), (1, 50), (2, 50)]), (range(9), [(n, 100) for n in range(4)])):
            asked.clear()
            with tempfile.TemporaryDirectory() as directory:
                cuts = power.PowerCuts(parsed, None, lambda _: kernels.Kernel("debian", "6.1", {}), {}, Path(directory),
                                       base.Cache(directory))
                with mock.patch.object(cuts, "_record_and_cut", recorded):
                    cuts.run(rows)
            self.assertEqual(asked, expected)

    def test_a_record_whose_guests_stopped_is_made_again(self):
        parsed, rows = self.rows("--cuts", "1")
        made = []

        def cut(reason):
            part = cut_results.empty_part("6.1", 9, 1)
            made.append(reason)
            cut_results.count(part, {"verdict": "unknown", "reason": reason}, "here")
            return part
        with tempfile.TemporaryDirectory() as directory:
            for name in ("engine", "init"):
                Path(directory, name).write_text(name, encoding="ascii")
            for reason in (power._told(read_console(b"words"), 1)["reason"], "cannot mount", "not asked"):
                temporary = tempfile.mkdtemp(dir=directory)
                cuts = power.PowerCuts(parsed, None, lambda _: kernels.Kernel("debian", "6.1", {"present": "image"}),
                                       {name: Path(directory, name) for name in ("engine", "init")}, Path(temporary),
                                       base.Cache(directory))
                with mock.patch.object(power._Record, "cut", lambda _self, _count, why=reason: cut(why)):
                    cuts.run(rows)
                self.assertEqual(len(cuts.results[0]["untold"]), 1)
        self.assertEqual([why[:12] for why in made], ["the guest di", "cannot mount"])


class Guests(unittest.TestCase):
    def test_a_busy_host_has_more_patience(self):
        for load, times in ((0.1, 1), (2, 1), (9, 4.5)):
            with mock.patch("os.getloadavg", lambda given=load: (given, 0, 0)), mock.patch("os.cpu_count", lambda: 2):
                self.assertEqual(power.busyness(), times)


def compared(report=None, code=0, before="", output=None):
    text = before
    if report is not None:
        text += framed(1, "argv", json.dumps(report))
    if output is not None:
        text += framed(1, "output", output)
    text += program(1, "argv", code) if code is not None else ""
    return power._told(read_console((BOOT + '@@guest {"event":"begin","run":1}\r\n' + text
                                     + '@@guest {"event":"run","run":1}\r\n' + END).encode()), 1)


class Told(unittest.TestCase):
    SYNCED = {"done": 7, "begun": 9, "synced_bytes": 4096}

    def test_verdicts(self):
        self.assertEqual(compared({"cut_short": self.SYNCED, "damage": [], "files": []}),
                         {"verdict": "clean", "synced_bytes": 4096})
        self.assertEqual(compared({"cut_short": None, "damage": [], "files": [{"size": 5}]})["synced_bytes"], 5)
        alarm = compared({"cut_short": self.SYNCED, "files": [], "damage": [{"file": 0, "offset": 9, "length": 3, "lost": 5}],
                          "known_faults": [{"name": "K9"}], "damage_is_known": False}, 1)
        self.assertEqual((alarm["verdict"], alarm["ranges"], alarm["done"], alarm["known"]), ("alarm", 1, 7, []))
        alarm = compared({"cut_short": self.SYNCED, "files": [], "damage": [], "known_faults": [{"name": "K9"}],
                          "damage_is_known": True}, 1)
        self.assertEqual(alarm["known"], ["K9"])
        self.assertEqual(compared({"cut_short": self.SYNCED | {"synced_bytes": 0}, "problems": []}, 3)["verdict"], "nothing synced")

    def test_what_cannot_be_told_says_why(self):
        self.assertEqual(compared({"cut_short": self.SYNCED, "problems": [{"message": "no room"}]}, 3),
                         {"verdict": "unknown", "reason": "no room"})
        self.assertEqual(compared(code=2, output="a\nno such file\n"), {"verdict": "unknown", "reason": "no such file"})
        failed = '@@guest {"event":"failed","what":"mount the test disk","errno":22,"error":"Invalid argument"}\r\n'
        self.assertEqual(compared(code=None, before=failed),
                         {"verdict": "unknown", "reason": "mount the test disk: Invalid argument"})
        silent = power._told(read_console(b"the kernel's last words\n"), 1)
        self.assertIn("the kernel's last words", silent["reason"])

    def result(self, **more):
        return {"row": "ext4/4096", "control": False, "kernel": "6", "records": 1, "writes": 9, "cuts": 4, "checked": 4,
                "synced_bytes": 9, "nothing_synced": 0, "alarms": [], "untold": [], "failure": None} | more

    def test_exit_codes(self):
        alarm = {"cut": "here", "seed": 1, "workload": "mix", "ranges": 1, "done": 7, "known": [],
                 "damage": [{"file": 0, "offset": 9, "length": 3, "kind": "stale", "lost": 5}]}
        known = alarm | {"known": ["K9"]}
        for code, word, more in ((0, "clean", {}), (1, "lost", {"alarms": [alarm]}), (0, "caught", {"alarms": [alarm], "control": True}),
                                 (1, "not caught", {"control": True}), (1, "lost, known: K9", {"alarms": [known]}),
                                 (1, "lost", {"alarms": [known, alarm]}),
                                 (1, "not caught", {"alarms": [known], "control": True}), (3, "could not tell", {"checked": 0}),
                                 (3, "could not tell", {"failure": "no kernel"}),
                                 (0, "clean", {"untold": [{"cut": "here", "reason": "x"}]})):
            result = self.result(**more)
            self.assertEqual((cut_results.verdict(result), cut_results.exit_code([result])), (word, code))
            self.assertIn(word, cut_results.table([result]))
        self.assertIn("file 0 at 9, 3 bytes stale", cut_results.table([self.result(alarms=[alarm])]))
        self.assertIn("; known: K9", cut_results.table([self.result(alarms=[known])]))


class Disks(unittest.TestCase):
    def test_the_two_partitions(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "disk"
            base.processes.begin()
            disk = cut_disk.CutDisk(power.FILESYSTEMS["ext4"], 4096, path, 32)
            raw = path.read_bytes()
            self.assertEqual(raw[510:512], b"\x55\xaa")
            first, second = (struct.unpack_from("<II", raw, 446 + 16 * number + 8) for number in (0, 1))
            self.assertEqual((first, second), ((2048, 65536), (2048 + 65536, 32768)))
            for start in (first[0], second[0]):
                self.assertEqual(raw[start * 512 + 1080:start * 512 + 1082], b"\x53\xef")  # ext2's magic number
            self.assertTrue(disk.is_notebook(blklog.Entry(second[0], 1, False, 1)))
            self.assertFalse(disk.is_notebook(blklog.Entry(second[0] - 1, 1, False, 1)))


if __name__ == "__main__":
    unittest.main()
