#!/usr/bin/python3
"""Tests of how scripts/kernels reads a guest's console: only what arrived complete is a result, and a panic, a
timeout or a missing report is never clean."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/kernels"))
from harness import initramfs, report, results, row_results  # noqa: E402
from harness.console import read_console  # noqa: E402
from harness.qemu import TIME_IS_UP  # noqa: E402

BOOT = '@@guest {"event":"boot","release":"2.6.19","machine":"x86_64","cpus":1}\r\n'
END = '@@guest {"event":"end"}\r\n'
BEGIN = '@@guest {"event":"begin","run":1}\r\n'
DAMAGE = {"file": 0, "offset": 4196, "length": 100, "kind": "stale", "stages": ["evicted"], "lost": 7}


def framed(run, kind, body, wrong=0):
    body = body.encode()
    checksum = zlib.crc32(body) ^ wrong
    return (f"@@guest report-begin run={run} kind={kind} bytes={len(body)} crc32={checksum:08x}\r\n"
            + body.decode().replace("\n", "\r\n") + f"\r\n@@guest report-end run={run} kind={kind}\r\n")


def program(run, kind, code, **more):
    event = {"event": "program", "run": run, "kind": kind, "exit": code, "signal": 0,
             "timed_out": False, "seconds": 1.0, "sectors_written": 8, "reported": True, **more}
    return f"@@guest {json.dumps(event)}\r\n"


def one(run, damage=(), code=None, after=None):
    """The console of one complete run; `after`: the damage found after the remount."""
    after = damage if after is None else after
    text = ""
    for kind, found in (("argv", damage), ("verify", after)):
        verdict = "damaged" if found else "clean"
        text += framed(run, kind, json.dumps({"verdict": verdict, "damage": list(found)}))
        text += program(run, kind, (1 if found else 0) if code is None else code)
    return text + f'@@guest {{"event":"run","run":{run}}}\r\n'


def row(text, runs=1, status=0, expect=None, said="", first=1):
    """The row of the runs `first` to `runs` of one boot."""
    return row_of_boots([(text, status, said)], runs, expect, first)


def row_of_boots(boots, runs=1, expect=None, first=1):
    description = {"way": "kernel", "kernel": None, "filesystem": "ext3", "block_size": 1024,
                   "fix": "unknown", "contract": None, "workload": "recipe", "smp": 1, "expect": expect}
    return row_results.row_of(description, {i: str(i) for i in range(first, runs + 1)},
                              [row_results.Boot(read_console(text.encode()), status, said)
                               for text, status, said in boots])


class Verdicts(unittest.TestCase):
    def test_whole_runs_are_told(self):
        damaged = row(BOOT + one(1) + one(2, [DAMAGE]) + END, runs=2)
        self.assertEqual((damaged["verdict"], damaged["damaged_runs"], damaged["clean_runs"]),
                         ("damage", 1, 1))
        self.assertEqual(damaged["first_damage"]["offset"], 4196)
        self.assertEqual(damaged["kinds"], {"stale": 1})
        self.assertEqual(damaged["kernel"], "2.6.19")
        self.assertEqual(row(BOOT + one(1) + END)["verdict"], "clean")

    def test_damage_that_only_the_remount_shows_counts(self):
        self.assertEqual(row(BOOT + one(1, [], after=[DAMAGE]) + END)["verdict"], "damage")

    def test_damage_that_the_remount_does_not_show_is_no_result(self):
        text = BOOT + one(1, [DAMAGE], after=[]) + END
        self.assertEqual(row(text)["verdict"], "unknown")

    def assert_unknown(self, text, reason, kind="unknown", **more):
        told = row(text, **more)
        self.assertEqual(told["verdict"], kind)
        self.assertFalse(told["as_expected"])
        self.assertIn(reason, " / ".join(told["reasons"]))

    def test_damage_that_is_gone_is_still_said(self):
        gone = row(BOOT + one(1, [DAMAGE], after=[]) + END)
        self.assertEqual((gone["verdict"], gone["results"][0]["gone"]), ("unknown", [DAMAGE]))

    def test_damage_that_was_written_over_before_the_end_counts(self):
        met = row(BOOT + one(1, [DAMAGE | {"stages": ["during"]}], after=[]) + END)
        self.assertEqual((met["verdict"], met["results"][0]["damaged"]), ("damage", []))

    def test_a_panic_is_never_clean(self):
        panic = "[ 3.1] Kernel panic - not syncing: Attempted to kill init!\r\n"
        self.assert_unknown(BOOT + one(1) + panic, "Attempted to kill init", "oops")
        self.assert_unknown(BOOT + one(1) + panic + END, "Attempted to kill init", "oops")

    def test_what_the_kernel_says_of_itself_is_a_kind_of_its_own(self):
        for kind, words in (
                ("oops", "BUG: unable to handle page fault for address: 0"),
                ("oops", "Oops: 0002 [#1] PREEMPT SMP NOPTI"), ("oops", "kernel BUG at fs/ext4/inode.c:2700!"),
                ("oops", "BUG: sleeping function called from invalid context at kernel/locking"),
                ("hang", "INFO: task mmapstress:99 blocked for more than 120 seconds."),
                ("hang", "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!"),
                ("warning", "WARNING: CPU: 0 PID: 1 at fs/xfs/xfs_aops.c:99 xfs_vm_writepages+0x1/0x2"),
                ("warning", "WARNING: fs/f2fs/data.c:12 at f2fs_x+0x1/0x2, CPU#0: init/1"),
                ("warning", "EXT4-fs error (device vda): ext4_lookup:1855: inode #2: comm init: bad"),
                ("warning", "EXT4-fs (vda): error count since last fsck: 1"),
                ("warning", "UBIFS error (ubi0:0 pid 80): ubifs_read_node: bad node type (255 but expected 1)"),
                ("warning", "ubi0 error: ubi_io_read: error -74 while reading 64 bytes from PEB 3:0")):
            for text in (BOOT + BEGIN + f"[ 3.1] {words}\r\n" + one(1) + END, BOOT + one(1) + f"{words}\r\n" + END):
                self.assert_unknown(text, words.split(": ", 1)[-1], kind)
        for words in ("Spectre V2 : WARNING: Unprivileged eBPF is enabled", "EXT4-fs (vda): mounted filesystem"):
            self.assertEqual(row(BOOT + f"{words}\r\n" + one(1) + END)["verdict"], "clean")

    def test_a_kernel_that_became_tainted_warned(self):
        for taint, verdict in ((4096, "clean"), (512, "warning"), (128, "oops")):
            text = BOOT + one(1).replace('"run","run":1', f'"run","run":1,"tainted":{taint}') + END
            self.assertEqual(row(text)["verdict"], verdict)

    def test_damage_is_damage_whatever_the_kernel_says(self):
        told = row(BOOT + BEGIN + "WARNING: CPU: 0 PID: 1 at x\r\n" + one(1, [DAMAGE]) + END, expect="damage")
        self.assertEqual((told["verdict"], told["as_expected"]), ("damage", True))
        self.assertIn("WARNING", " ".join(told["reasons"]))

    def test_an_oops_may_be_expected(self):
        self.assertTrue(row(BOOT + one(1) + "Oops: 1\r\n" + END, expect="oops")["as_expected"])

    def test_trouble_is_of_the_row_whose_run_was_under_way(self):
        text = BOOT + one(1) + BEGIN.replace("1", "2") + "Oops: 1\r\n"
        self.assertEqual(row(text)["verdict"], "clean")
        self.assertEqual(row(text, runs=2, first=2)["verdict"], "oops")

    def test_a_row_of_two_boots(self):
        first = BOOT + one(1, [DAMAGE]) + BEGIN.replace("1", "2") + "Oops: 1\r\n"
        told = row_of_boots([(first, 0, ""), (BOOT + one(3) + END, 0, "")], runs=3)
        self.assertEqual([r["verdict"] for r in told["results"]], ["damage", "oops", "clean"])
        self.assertEqual(told["verdict"], "damage")

    def test_a_timeout_is_never_clean(self):
        self.assert_unknown(BOOT + one(1), "its time was up", "hang", status=TIME_IS_UP)
        self.assert_unknown("Linux version 6.1\r\n", "its time was up", status=TIME_IS_UP)
        late = (BOOT + framed(1, "output", "working\n") + program(1, "argv", -1, signal=9, timed_out=True)
                + '@@guest {"event":"run","run":1}\r\n' + END)
        self.assert_unknown(late, "did not end within", "hang")

    def test_how_qemu_ended_is_told(self):
        self.assert_unknown("", "QEMU ended with status 1: qemu: no such accelerator", status=1,
                            said="warning\nqemu: no such accelerator\n\n")
        self.assert_unknown(BOOT + one(1), "QEMU was killed by SIGABRT", status=-6)

    def test_a_missing_run_is_never_clean(self):
        self.assert_unknown(BOOT + one(1) + END, "did not get to it", runs=2)

    def test_a_console_that_ends_early_is_never_clean(self):
        self.assert_unknown(BOOT + one(1), "ended early")
        self.assert_unknown("", "never started /init")
        self.assert_unknown("Loading...\r\n", "last on its console: Loading...")

    def test_what_the_run_itself_said_is_kept(self):
        text = BOOT + one(1).split("@@guest report-begin run=1 kind=verify")[0] + program(1, "verify", 3) + END
        told = row(text)
        self.assertEqual((told["verdict"], told["results"][0]["ran"]), ("unknown", "clean"))

    def test_a_damaged_report_is_never_a_result(self):
        clean = json.dumps({"verdict": "clean", "damage": []})
        wrong = (BOOT + framed(1, "argv", clean, wrong=1) + program(1, "argv", 0)
                 + one(1).split("report-end run=1 kind=argv\r\n", 1)[1] + END)
        self.assert_unknown(wrong, "cut off or damaged")

    def test_every_cut_of_a_clean_console_is_never_clean(self):
        text = BOOT + one(1) + one(2) + END
        for length in range(len(text) - len('"}\r\n')):
            self.assertNotEqual(row(text[:length], runs=2)["verdict"], "clean", text[:length][-60:])

    def test_exit_code_and_report_must_agree(self):
        self.assert_unknown(BOOT + one(1, code=1) + END, "but its report says")
        self.assert_unknown(BOOT + one(1, [DAMAGE], code=0) + END, "but its report says")

    def test_could_not_tell_inside_is_could_not_tell_outside(self):
        body = json.dumps({"verdict": "could not tell", "problems": [{"message": "fsync: EIO"}]})
        text = BOOT + framed(1, "argv", body) + program(1, "argv", 3) + END
        self.assert_unknown(text, "fsync: EIO")

    def test_a_failure_in_the_guest_is_its_runs(self):
        failed = '@@guest {"event":"failed","what":"mount","errno":22,"error":"Invalid argument"}\r\n'
        told = row(BOOT + failed + '@@guest {"event":"run","run":1}\r\n' + one(2, [DAMAGE]) + END,
                   runs=2)
        self.assertEqual([r["verdict"] for r in told["results"]], ["unknown", "damage"])
        self.assertEqual(told["results"][0]["reason"], "mount: Invalid argument")

    def test_kernel_messages_in_between_do_no_harm(self):
        text = (BOOT + one(1, [DAMAGE]) + END).replace(
            "@@guest {", "[ 1.5] e1000: link up\r\n[ 1.6] @@guest {")
        self.assertEqual(row(text)["verdict"], "damage")

    def test_adjacent_ranges_are_one(self):
        parts = [dict(DAMAGE, offset=4296, length=50), DAMAGE, dict(DAMAGE, file=1),
                 dict(DAMAGE, offset=9000, stages=["live"])]
        self.assertEqual(results.ranges_of({"damage": parts}), [[0, 4196, 150], [1, 4196, 100]])


class Printed(unittest.TestCase):
    def test_exit_code_says_whether_all_is_as_expected(self):
        damaged = BOOT + one(1, [DAMAGE]) + END
        clean = BOOT + one(1) + END
        as_expected = [row(damaged, expect="damage"), row(clean, expect="clean")]
        self.assertEqual(report.exit_code(as_expected), 0)
        self.assertEqual(report.exit_code([*as_expected, row(clean, expect="damage")]), 1)
        self.assertEqual(report.exit_code([row(damaged, expect="clean")]), 1)
        self.assertEqual(report.exit_code([row(damaged), row(clean)]), 0)
        self.assertEqual(report.exit_code([*as_expected, row("")]), 3)
        self.assertEqual(report.exit_code([row(damaged + "Oops: 1\r\n")]), 0)
        self.assertEqual(report.exit_code([row(clean + "Oops: 1\r\n")]), 3)
        self.assertEqual(report.exit_code([row_results.row_without_boot(row(clean), "absent", "no mkfs", True)]), 0)
        self.assertEqual(report.exit_code([row_results.row_without_boot(row(clean), "absent", "no mkfs", False)]), 3)
        self.assertEqual(report.exit_code([row("", expect="damage")]), 3)

    def test_table_has_every_column(self):
        text = report.table([row(BOOT + one(1, [DAMAGE]) + END, expect="damage")])
        for word in ("2.6.19", "ext3", "1024", "as built", "1: file 0 at 4196, 100 bytes stale",
                     "1 stale", "damage (expected)"):
            self.assertIn(word, text)

    def test_ktap_counts_and_judges(self):
        rows = [row(BOOT + one(1, [DAMAGE]) + END, expect="damage"),
                row(BOOT + one(1, [DAMAGE]) + END, expect="clean"), row("", expect="clean")]
        text = report.ktap(rows)
        self.assertTrue(text.startswith("KTAP version 1\n1..3\n"))
        results_only = [line for line in text.splitlines() if line[0] != " "][2:]
        self.assertEqual([line.split(" ", 1)[0] for line in results_only], ["ok", "not", "ok"])
        self.assertIn("# SKIP", results_only[2])
        self.assertIn("\nnot ok 1 ", report.ktap([row(BOOT + one(1) + END + "Oops: 1\r\n")]))

    def test_what_cannot_be_made_says_why(self):
        absent = row_results.row_without_boot(row(""), "absent", "no mkfs.x: install y", True)
        self.assertIn("cannot be made", report.table([absent]))
        self.assertIn("ext3 1024, fix as built, recipe: no mkfs.x: install y", report.table([absent]))

    def test_json_holds_the_rows(self):
        text = report.as_json([row(BOOT + one(1) + END)])
        self.assertEqual(json.loads(text)["rows"][0]["verdict"], "clean")


class Initramfs(unittest.TestCase):
    def test_cpio_reads_what_was_written(self):
        with tempfile.TemporaryDirectory() as directory:
            root = os.path.join(directory, "root")
            os.makedirs(os.path.join(root, "runs/1"))
            with open(os.path.join(root, "runs/1/argv"), "wb") as file:
                file.write(b"/program\n" * 3)
            os.chmod(os.path.join(root, "runs/1/argv"), 0o750)
            os.symlink("runs/1/argv", os.path.join(root, "link"))
            output = os.path.join(directory, "initramfs")
            initramfs.write_initramfs(output, root)
            with open(output, "rb") as file:
                archive = gzip.decompress(file.read())
            try:
                listing = subprocess.run(["cpio", "-itv", "--quiet"], input=archive, check=True,
                                         capture_output=True).stdout.decode()
            except FileNotFoundError:
                self.skipTest("cpio is not installed")
        self.assertRegex(listing, r"(?m)^crw------- .* 5, +1 .*dev/console$")
        self.assertRegex(listing, r"(?m)^-rwxr-x--- .* 27 .*runs/1/argv$")
        self.assertRegex(listing, r"(?m)^lrwxrwxrwx .*link -> runs/1/argv$")


if __name__ == "__main__":
    unittest.main()
