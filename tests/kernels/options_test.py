#!/usr/bin/python3
"""Invalid input to scripts/kernels/run.sh and compare.sh: one line that says what to do, the right exit code, and
nothing left behind. Needs no QEMU."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/kernels")
sys.path[:0] = [SCRIPTS, os.path.join(SCRIPTS, "../support")]
from harness import base, compare, filesystems, options, run  # noqa: E402


class Refusals(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = directory.name
        self.temporary = f"{self.path}/tmp"
        os.mkdir(self.temporary)
        environment = {"TMPDIR": self.temporary, "XDG_CACHE_HOME": f"{self.path}/cache"}
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)
        for name, content in (("text", b"not a kernel\n"), ("zeros", bytes(100000)), ("image", bytes(514) + b"HdrS")):
            with open(f"{self.path}/{name}", "wb") as file:
                file.write(content)

    def refuses(self, code, words, *arguments, program=run):
        """Expects the program to end with this code and one line with these words, and to leave nothing behind."""
        name = "run.sh" if program is run else "compare.sh"
        said = io.StringIO()
        with mock.patch.object(sys, "argv", [name, *arguments]), contextlib.redirect_stderr(said):
            self.assertEqual(base.run_as(name, program.main), code, arguments)
        self.assertRegex(said.getvalue(), rf"\A{name}: .*\n\Z", arguments)
        self.assertIn(words.format(self.path), said.getvalue(), arguments)
        self.assertEqual(os.listdir(self.temporary), [], arguments)

    def test_what_is_no_option_of_run(self):
        for words, *arguments in (
                ("unknown option '--fish'", "--fish"), ("--kernel needs a value", "--kernel"),
                ("no such file", "--kernel", f"{self.path}/none"),
                ("is not a kernel image", "--kernel", f"{self.path}/text"),
                ("is not a kernel image", "--kernel", f"{self.path}/zeros"),
                ("cannot read {}", "--kernel", self.path),
                ("no filesystem 'minix'", "--fs", "minix"), ("--block-size takes", "--block-size", "513"),
                ("reiserfs has no block size of 512", "--block-size", "512"),
                ("no configuration 'tiny'", "--source", "--config", "tiny"),
                ("--config goes with --source only", "--config", "blockdev"),
                ("--fix buffer-heads goes with", "--fix", "buffer-heads"),
                ("--fs blockdev wants --bus virtio", "--fs", "blockdev", "--kernel", f"{self.path}/image"),
                ("jfs has no block size of 1024", "--fs", "jfs", "--block-size", "1024", "--engine", "/bin/true"),
                ("--seeds takes", "--seeds", "0"), ("--seeds takes", "--seeds", "many"),
                ("and 9-3 has none", "--seeds", "9-3"), ("--smp takes", "--smp", "0"),
                ("--expect takes", "--expect", "maybe"), ("--fix takes", "--fix", "undo"),
                ("--partialfs takes", "--partialfs", "linux-2.6.21"), ("no format 'xml'", "--format", "xml"),
                ("cannot read the schedule", "--schedule", f"{self.path}/none"),
                ("--matrix goes with", "--matrix", "--kernel", f"{self.path}/image"),
                ("--fix has no meaning", "--fix", "undone", "--kernel", f"{self.path}/image"),
                ("--bus takes", "--bus", "scsi"), ("--bus ide goes with", "--bus", "ide"),
                ("take a suite", "--debian", "Bookworm/main"), ("are two kernels", "--debian", "sid", "--source"),
                ("--report: cannot write", "--report", f"{self.path}/none/rows.json"),
                ("--report: cannot write", "--json", f"{self.path}/none/rows.json"),
                ("--memory takes a number and MiB or GiB", "--memory", "512KiB"),
                ("--timeout takes a number and s or min or h", "--timeout", "2 weeks"),
                ("--ktap: cannot write", "--ktap", self.path)):
            self.refuses(2, words, *arguments)

    def test_what_is_no_option_of_compare(self):
        for code, words, *arguments in (
                (2, "unknown option '--fish'", "--fish"),
                (2, "there is no file {}/none", "--schedules", f"{self.path}/none"),
                (2, "--seed and --explain take a number", "--seed", "x"),
                (2, "--fs takes one filesystem here", "--fs", "ext3,reiserfs"),
                (2, "--report: cannot write", "--report", f"{self.path}/none/sets.json"),
                (2, "--record goes with", "--record", f"{self.path}/r.jsonl"),
                (2, "--record: cannot write", "--source", "--config", "blockdev", "--record", f"{self.path}/none/r"),
                (3, "no program {}/none", "--partialfs", f"{self.path}/none")):
            self.refuses(code, words, *arguments, program=compare)

    def test_without_qemu(self):
        with mock.patch.dict(os.environ, {"PATH": self.path}):
            self.refuses(3, "install the package qemu-system-x86")

    @unittest.skipUnless(shutil.which("qemu-system-x86_64") and shutil.which("musl-gcc"), "no QEMU or no musl")
    def test_what_the_machine_has_not(self):
        self.refuses(3, "cannot write the cache directory /proc/none", "--cache", "/proc/none")
        self.refuses(2, "no program", "--engine", f"{self.path}/none")
        for name, says in (("old", "exit 2"), ("engine", "echo recipe; echo mix")):
            with open(f"{self.path}/{name}", "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n{says}\n")
            os.chmod(f"{self.path}/{name}", 0o755)
        self.refuses(2, "does not say which workloads it has", "--engine", f"{self.path}/old")
        self.refuses(2, "no workload 'fish': recipe, mix", "--workload", "mix,fish", "--engine", f"{self.path}/engine")
        with mock.patch.object(sys, "stdin", io.StringIO()):
            self.refuses(2, "--shell needs a terminal", "--shell")
        with mock.patch.object(base, "free_mebibytes", lambda _: 10):
            self.refuses(3, f"disk full: {self.temporary}", "--engine", "/bin/true")
        # An empty archive.
        for way in ("--debian", "--source"):
            self.refuses(3, "has no package lists of sid", way, "sid", "--engine", f"{self.path}/engine",
                         "--mirror", f"file:{self.path}")

    def test_the_scripts_themselves(self):
        for name in ("run.sh", "compare.sh"):
            done = subprocess.run([f"{SCRIPTS}/{name}", "--fish"], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (2, f"{name}: unknown option '--fish'; see --help\n"))


    def test_what_has_an_older_name_or_no_unit(self):
        now = options.parse_run(["--format", "text", "--report", f"{self.path}/r", "--memory", "1GiB", "--timeout", "2min",
                                 "--disk", "40MiB"])
        before = options.parse_run(["--format", "table", "--json", f"{self.path}/r", "--memory", "1024", "--timeout", "120",
                                    "--disk", "40"])
        self.assertEqual(vars(now), vars(before))
        self.assertEqual((now.format, now.memory, now.timeout, now.disk), ("text", 1024, 120, 40))

    def test_every_help_has_an_example_and_no_older_name(self):
        for name in ("run.sh", "compare.sh", "loop-cuts.sh"):
            text = subprocess.run([f"{SCRIPTS}/{name}", "--help"], capture_output=True, text=True, check=True).stdout
            self.assertRegex(text, rf"\nExample: scripts/kernels/{name} ")
            self.assertNotIn("--json", text)
            self.assertNotIn("table|", text)


class Commands(unittest.TestCase):
    """Host commands: each has a time limit, and a full disk is named."""

    def fails(self, words, *arguments):
        with self.assertRaisesRegex(base.Failure, words):
            base.command(*arguments)

    def test_a_time_limit(self):
        self.fails("^mkfs failed: sleep did not end within 0.2 s", ["sleep", "100"], 0.2, "mkfs failed")

    def test_the_line_that_says_why(self):
        self.fails("^it fails: error: one$", ["sh", "-c", "echo two; echo error: one; exit 1"], 9, "it fails")

    def test_the_full_directory_is_named(self):
        with tempfile.TemporaryDirectory() as one, mock.patch.object(base, "places", [one]):
            self.fails(f"^disk full: {one} \\([0-9]+ MiB left\\)",
                       ["sh", "-c", "echo x: No space left on device; exit 1"], 9, "it fails")

    def test_a_maker_that_is_not_there(self):
        with mock.patch.dict(os.environ, {"PATH": "/none"}), self.assertRaisesRegex(base.Failure, "jfsutils"):
            filesystems.make_disk(filesystems.FILESYSTEMS["jfs"], 4096, "/none", 1)


if __name__ == "__main__":
    unittest.main()
