#!/usr/bin/python3
"""Which rows scripts/kernels/run.sh boots, what it expects of them, and how it reports their results. QEMU is
replaced by a program that prints what a guest would."""

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/kernels")
sys.path[:0] = [SCRIPTS, os.path.join(SCRIPTS, "../support")]
from harness import base, booter, filesystems, guest, kernels, options, qemu, rows, suites  # noqa: E402


def names(*arguments):
    return [f"{row.name}/{row.contract or 'none'}" for row in rows.list_setups(options.parse_run(arguments))]


class Rows(unittest.TestCase):
    def test_by_default_reiserfs_with_both_fixes(self):
        self.assertEqual(names(), [f"reiserfs/{block}/{fix}/none" for block in (1024, 4096)
                                   for fix in ("undone", "present")])

    def test_only_block_sizes_that_it_has(self):
        self.assertEqual(names("--fs", "jfs,ext2", "--fix", "undone"),
                         ["jfs/4096/undone/none", "ext2/1024/undone/none", "ext2/4096/undone/none"])

    def test_a_partialfs_inside_stands_over_ext4_with_the_fix(self):
        self.assertEqual(names("--partialfs", "both"),
                         ["ext4/4096/present/linux-2.6.19", "ext4/4096/present/linux-2.6.20"])

    def test_the_matrix_has_the_first_tier(self):
        got = {name.split("/")[0] for name in names("--matrix")}
        self.assertEqual(got, {name for name, one in filesystems.FILESYSTEMS.items() if one.tier == 1})
        self.assertIn("ext3-journal", got)
        self.assertNotIn("ext4-bigalloc", got)
        self.assertEqual(names("--fs", "ext4-bigalloc", "--fix", "present"), ["ext4-bigalloc/4096/present/none"])

    def test_every_filesystem_says_how_it_is_made_or_why_not(self):
        for one in filesystems.FILESYSTEMS.values():
            self.assertTrue(one.cannot or one.is_device or one.is_flash or (one.maker and one.package), one.name)
            self.assertTrue(one.blocks and one.mount_type and bool(one.needed_modules) != one.is_device, one.name)

    def test_a_kernel_for_block_devices_has_three_rows(self):
        self.assertEqual(names("--source", "trixie", "--config", "blockdev"), [
            f"blockdev/512/{fix}/none" for fix in ("undone", "present", "buffer-heads")])
        self.assertEqual(names("--source", "--config", "blockdev", "--fix", "present", "--block-size", "1024,4096"),
                         ["blockdev/1024/present/none", "blockdev/4096/present/none"])

    def test_a_device_is_a_disk_whose_size_decides_its_block_size(self):
        with tempfile.TemporaryDirectory() as directory:
            for block, size in ((512, (64 << 20) + 512), (2048, (64 << 20) + 2048), (4096, 64 << 20)):
                disk = Path(directory) / "disk"
                filesystems.make_disk(filesystems.FILESYSTEMS["blockdev"], block, disk, 192)
                self.assertEqual(disk.stat().st_size, size)

    def test_a_flash_chip_is_erased(self):
        with tempfile.TemporaryDirectory() as directory:
            disk = Path(directory) / "disk"
            filesystems.make_disk(filesystems.FILESYSTEMS["ubifs"], 4096, disk, 2)
            self.assertEqual(disk.read_bytes(), b"\xff" * (2 << 20))

    def settings(self, name, *, programs):
        """What the guest is told of a run on the filesystem, and the directory that becomes its root."""
        with tempfile.TemporaryDirectory() as directory:
            temporary = Path(directory)
            shutil.copy("/bin/true", temporary / "init")
            parsed = options.parse_run(["--fs", name, "--fix", "present", "--block-size", "4096"])
            boots = booter.Booter(parsed, options.machine_of(parsed), kernels.own_kernel("image"), programs, [], temporary)
            root = guest.Guest(temporary / "root", temporary / "init")
            setup, = rows.list_setups(parsed)
            settings = boots.settings(root, booter.Batch([setup], temporary), setup)
            daemon = temporary / "root" / settings.get("daemon", "/none").lstrip("/") / "argv"
            return settings, daemon.read_text(encoding="utf-8").split() if daemon.exists() else None

    def test_what_is_over_the_disk(self):
        programs = {"bindfs": Path("/bin/true"), "diod": Path("/bin/true")}
        for name, over, options_over, words in (
                ("ext4", None, None, None), ("overlayfs", "overlay", "", None), ("nfs", "nfs", "", None),
                ("bindfs", "bindfs", "", ["-f", "/mnt", "/under"]),
                ("9p", "9p", "cache=loose,msize=65536", ["--wfdno", "100"]),
                ("9p-mmap", "9p", "cache=mmap,msize=65536", ["--wfdno", "100"])):
            settings, argv = self.settings(name, programs=programs)
            self.assertEqual((settings.get("over"), settings.get("over_options")), (over, options_over), name)
            self.assertEqual(argv and argv[-len(words):], words, name)
            self.assertEqual(settings["fs"], "ext4")
        with self.assertRaisesRegex(base.Failure, "diod is not installed"):
            self.settings("9p", programs={})

    def test_a_chip_is_told_apart_from_a_disk(self):
        self.assertEqual(self.settings("ubifs", programs={})[0]["flash"], 1)

    def test_what_power_cuts_are_possible_on(self):
        on_disk = {name for name, one in filesystems.FILESYSTEMS.items() if one.is_on_disk}
        self.assertLess({"ext4", "f2fs", "ocfs2"}, on_disk)
        self.assertFalse({"blockdev", "overlayfs", "ubifs", "9p", "nfs", "hfsplus"} & on_disk)

    def runs(self, workloads, *arguments):
        return rows.list_runs(options.parse_run(arguments), workloads)

    def test_runs_are_seeds_or_for_a_time(self):
        runs = self.runs(["recipe", "wild"], "--ops", "9")
        self.assertEqual([run.label for run in runs], [*map(str, range(1, 11)), "1"])
        self.assertIn("MMAPSTRESS_OPS=9", runs[-1].environment)
        self.assertIn("MMAPSTRESS_DURATION=20s", self.runs(["wild"])[0].environment)
        self.assertIn("MMAPSTRESS_DURATION=120s", self.runs(["gup"], "--long")[0].environment)
        self.assertIn("MMAPSTRESS_DURATION=3s", self.runs(["gup"], "--long", "--duration", "3s")[0].environment)
        self.assertEqual([run.label for run in self.runs(["gup", "mix"], "--seeds", "4-5")], ["4", "5", "4", "5"])

    def test_a_kernel_of_ones_own_is_as_built(self):
        with tempfile.NamedTemporaryFile() as image:
            image.write(bytes(514) + b"HdrS")
            image.flush()
            self.assertEqual(names("--kernel", image.name), ["ext3/1024/unknown/none", "ext3/4096/unknown/none"])

    def expects(self, name, way, workload, *given):
        filesystem, block, fix, contract = name.split("/")
        row = rows.Setup(filesystems.FILESYSTEMS[filesystem], int(block), fix, None if contract == "none" else contract)
        return row.expectation(way, workload, [options.expectation(text) for text in given])

    def test_what_is_expected(self):
        for expected, name, way, workload in (
                ("damage", "reiserfs/1024/undone/none", "debian", "recipe"),
                (None, "reiserfs/1024/undone/none", "debian", "mix"),
                ("clean", "reiserfs/1024/present/none", "debian", "recipe"),
                ("clean", "ext3/1024/undone/none", "source", "recipe"),
                (None, "ext3/1024/unknown/none", "kernel", "recipe"),
                ("damage", "blockdev/512/undone/none", "source", "recipe"),
                (None, "blockdev/512/undone/none", "source", "linus"),
                ("clean", "blockdev/4096/undone/none", "source", "mix"),
                ("clean", "blockdev/512/buffer-heads/none", "source", "mix"),
                ("damage", "ext4/4096/present/linux-2.6.19", "debian", "mix"),
                (None, "ext4/4096/present/linux-2.6.19", "debian", "torrent"),
                ("clean", "ext4/4096/unknown/linux-2.6.20", "kernel", "mix")):
            self.assertEqual(self.expects(name, way, workload), expected, (name, way, workload))

    def test_the_last_expectation_that_matches_counts(self):
        name = "reiserfs/1024/undone/none"
        self.assertEqual(self.expects(name, "debian", "recipe", "clean"), "clean")
        self.assertEqual(self.expects(name, "debian", "recipe", "clean", "reiserfs/*/undone=damage"), "damage")
        self.assertEqual(self.expects(name, "debian", "recipe", "ext3/*=clean"), "damage")
        self.assertEqual(self.expects(name, "debian", "mix", "reiserfs/*/undone/mix=oops"), "oops")


class Boots(unittest.TestCase):
    """A row from its disk to its result, with a script in place of QEMU."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)
        for name in ("init", "engine", "image"):
            shutil.copy("/bin/true", self.path / name)
        self.image = self.path / "image"
        patch = mock.patch.dict(os.environ, {"PATH": f"{self.path}:{os.environ['PATH']}"})
        patch.start()
        self.addCleanup(patch.stop)
        base.processes.begin()

    def boots(self, script, *arguments):
        """The results of run.sh's rows with a QEMU that runs `script`, with its console in $console."""
        program = self.path / "qemu-system-x86_64"
        program.write_text('#!/bin/bash\nconsole=${!#}; console=${console#file:}\nall="$*"\n' + script, encoding="utf-8")
        program.chmod(0o755)
        with open(self.image, "wb") as image:
            image.write(bytes(514) + b"HdrS")
        parsed = options.parse_run(["--kernel", str(self.image), "--block-size", "1024", "--seeds", "1", *arguments])
        temporary = Path(tempfile.mkdtemp(dir=self.path))
        boots = booter.Booter(parsed, options.machine_of(parsed), kernels.own_kernel(self.image),
                              {"init": self.path / "init", "engine": self.path / "engine"},
                              rows.list_runs(parsed, parsed.workload or ["recipe"]), temporary)
        results = boots.boot_all(rows.list_setups(parsed))
        self.assertEqual(list(temporary.iterdir()), [])
        return results

    def test_a_qemu_that_says_nothing_is_no_result(self):
        row, = self.boots("exit 1")
        self.assertEqual((row["verdict"], row["reasons"][0]), ("unknown", "QEMU ended with status 1"))

    def test_rows_come_in_their_order(self):
        got = self.boots('case $all in *ext3*) sleep 0.3 ;; esac; echo "$all" >"$console"',
                         "--fs", "ext3,ext2", "--jobs", "2")
        self.assertEqual([row["filesystem"] for row in got], ["ext3", "ext2"])

    BOOTED = """echo '@@guest {"event":"boot","release":"6","cpus":1}' """

    def test_a_boot_that_oopses_goes_on_with_the_run_after_it(self):
        got = self.boots('first=${all##*guest.first=}; first=${first%% *}; {\n' + self.BOOTED + """
            echo '@@guest {"event":"begin","run":'"$first"'}'
            [ "$first" = 3 ] || { echo 'Oops: 1'; exit; }
            echo '@@guest {"event":"run","run":3}'
            echo '@@guest {"event":"end"}'; } >"$console" """, "--seeds", "3")
        self.assertEqual([result["verdict"] for result in got[0]["results"]], ["oops", "oops", "unknown"])

    def test_a_guest_whose_kernel_oopses_and_goes_on_is_ended(self):
        with mock.patch.object(qemu, "_AFTER_OOPS", 0):
            got, = self.boots('first=${all##*guest.first=}; first=${first%% *}; {\n' + self.BOOTED + """
                echo '@@guest {"event":"begin","run":'"$first"'}'
                if [ "$first" = 1 ]; then
                    echo 'BUG: Bad page cache in process x'
                    echo '@@guest {"event":"run","run":1}'
                    echo '@@guest {"event":"begin","run":2}'
                fi
                [ "$first" = 2 ] || exec sleep 1000
                echo 'WARNING: CPU: 0'
                echo '@@guest {"event":"run","run":2}'
                echo '@@guest {"event":"end"}'; } >"$console" """, "--seeds", "2")
        # The second run began in a kernel that had oopsed: only its repetition in a guest of its own counts.
        self.assertEqual([result["verdict"] for result in got["results"]], ["oops", "warning"])
        self.assertEqual((got["verdict"], got["reasons"][0]),
                         ("oops", "BUG: Bad page cache in process x; the kernel went on, and was ended"))

    def test_setups_share_a_boot(self):
        got = self.boots('first=${all##*guest.first=}; first=${first%% *}; { echo "$all" | grep -o "if=virtio" >>"' +
                         str(self.path) + '/drives"\n' + self.BOOTED + """
            echo '@@guest {"event":"begin","run":'"$first"'}'
            [ "$first" = 1 ] && { echo 'Oops: 1'; exit; }
            echo 'WARNING: CPU: 0'
            echo '@@guest {"event":"run","run":2}'
            echo '@@guest {"event":"end"}'; } >"$console" """, "--fs", "ext2,hfsplus,ext3", "--bus", "virtio", "--jobs", "1")
        self.assertEqual([(row["filesystem"], row["verdict"]) for row in got],
                         [("ext2", "oops"), ("hfsplus", "absent"), ("ext3", "warning")])
        # Two boots with two disks each.
        self.assertEqual((self.path / "drives").read_text(encoding="ascii").count("virtio"), 4)

    def test_noapic_is_tried_where_the_kernel_stops_at_its_io_apic(self):
        got = self.boots("""case $all in
            *noapic*) %s >"$console" ;;
            *) echo 'Kernel panic - not syncing: IO-APIC + timer does not work!' >"$console" ;;
            esac""" % self.BOOTED)
        self.assertEqual(got[0]["kernel"], "6")

    def stops(self, script, *arguments):
        """The rows, and how often the guest was booted. `script` gets the number of its boot as $boot."""
        with mock.patch.object(qemu, "_SILENT_BOOT", 0.1), mock.patch.object(booter, "_SLACK", 1):
            rows_of = self.boots(f'echo >>{self.path}/boots; boot=$(wc -l <{self.path}/boots)\n' + script, "--timeout", "1", *arguments)
        return rows_of, len((self.path / "boots").read_text(encoding="ascii"))

    def test_a_guest_that_stops_while_it_boots_is_booted_again(self):
        (row,), boots = self.stops("[ $boot = 2 ] || exec sleep 1000\n" + self.BOOTED + '>"$console"')
        self.assertEqual((row["kernel"], row["reasons"][0], boots), ("6", "the guest ended early", 2))

    def test_but_not_for_ever(self):
        (row,), boots = self.stops("exec sleep 1000")
        self.assertEqual((row["verdict"], row["reasons"][0], boots), ("unknown", "QEMU was ended: its time was up", 3))

    def test_a_guest_that_stops_in_a_run_costs_only_that_run(self):
        begun = """echo '@@guest {"event":"begin","run":'$boot'}' """
        (row,), boots = self.stops("{ " + self.BOOTED + "\n" + begun + "\n" + '} >"$console"; exec sleep 1000',
                                   "--seeds", "2")
        self.assertEqual((row["verdict"], boots), ("hang", 2))

    def test_a_disk_that_cannot_be_made_is_said_in_its_row(self):
        got = self.boots("exit 1", "--fs", "ext2,hfsplus")
        self.assertEqual([row["verdict"] for row in got], ["unknown", "absent"])
        self.assertEqual(got[1]["reasons"], ["hfsplus: Debian has no mkfs for it"])

    def test_no_timer_check_is_kept_from_kernels_that_panic_at_it(self):
        for version, has in ((b"2.6.19 (x@y)", False), (b"2.6.20", False), (b"2.6.21", True), (b"6.12.1", True), (b"", True)):
            with open(self.image, "wb") as image:
                image.write(bytes(0x20e) + (0x300).to_bytes(2, "little") + bytes(0x2f0) + version)
            self.assertEqual("no_timer_check" in " ".join(qemu.Machine().command(self.image, "i", ["d"])), has, version)

    def test_a_slow_disk(self):
        for slow, words in (("", ""), ("read", "throttling.iops-read=200"), ("write", "throttling.iops-write=200")):
            disk = next(word for word in qemu.Machine(slow=slow).command(self.image, "i", ["d"]) if word.startswith("file=d"))
            self.assertEqual(",".join(word for word in disk.split(",") if "throttling" in word), words)

    def test_time_is_up(self):
        with tempfile.TemporaryDirectory() as directory:
            program = self.path / "qemu-system-x86_64"
            program.write_text("#!/bin/sh\nexec sleep 100\n", encoding="utf-8")
            program.chmod(0o755)
            console = Path(directory) / "console"
            self.assertEqual(qemu.boot(qemu.Machine(), self.image, "r", ["d"], console, 0.2)[0], qemu.TIME_IS_UP)


class UnpackedKernel:
    """A suite whose kernel packages have nothing but a kernel."""
    name, is_of_host = "bookworm", True

    def __init__(self, directory):
        self.cache = base.Cache(directory)
        self.directory = self.cache.path / "suites/bookworm"
        self.unpacked = 0

    def update(self):
        pass

    def kernel_release(self):
        return "6.1"

    def with_parts(self, package):
        return [package]

    def unpack(self, target, *_, only):
        self.unpacked += 1


class Kernels(unittest.TestCase):
    def test_a_kernel_is_unpacked_again_if_more_of_it_is_wanted(self):
        with tempfile.TemporaryDirectory() as directory, mock.patch.object(kernels, "command"):
            suite = UnpackedKernel(directory)
            for more, times in (((), 1), ((), 1), (("*/lib/modules/*/kernel/new/*",), 2)):
                with mock.patch.object(kernels, "_TREE", (*kernels._TREE, *more)):
                    self.assertEqual(kernels.debian_kernel(suite, with_probes=False).release, "6.1")
                self.assertEqual(suite.unpacked, times)


class Suites(unittest.TestCase):
    def sources(self, name):
        with tempfile.TemporaryDirectory() as directory:
            text = suites.Suite(base.Cache(directory), suites.suite_name(name), "http://mirror/debian").sources()
        return [line.split(" ", 2)[2] for line in text.splitlines()]

    def test_what_a_suite_is_made_of(self):
        self.assertEqual(self.sources("bookworm"), [
            "http://mirror/debian bookworm main", "http://mirror/debian bookworm-updates main",
            "http://mirror/debian-security bookworm-security main"])
        self.assertEqual(self.sources("sid"), ["http://mirror/debian sid main"])
        self.assertIn("http://mirror/debian trixie-backports main", self.sources("backports"))
        self.assertIn("http://mirror/debian trixie main", self.sources("backports"))


if __name__ == "__main__":
    unittest.main()
