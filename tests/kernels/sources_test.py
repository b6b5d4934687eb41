#!/usr/bin/python3
"""Kernels built from a suite's source: patches are applied and undone, failures name file and line. The make here is
a script: its bzImage is a copy of the tree's one file at the time when make runs."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/kernels")
sys.path[:0] = [SCRIPTS, os.path.join(SCRIPTS, "../support")]
from harness import base, device_schedules, sources, suites  # noqa: E402

FILE = "int a;\nint b;\nint c;\nint d;\nint e;\n"
PATCH = "Why.\n\n--- a/mm/file.c\n+++ b/mm/file.c\n@@ -1,5 +1,5 @@\n int a;\n int b;\n-int c;\n+int C;\n int d;\n int e;\n"
MAKE = """#!/bin/sh
for word; do case $word in O=*) out=${word#O=} ;; esac; done
case "$*" in
*allnoconfig*) for word; do case $word in KCONFIG_ALLCONFIG=*) cp "${word#*=}" "$out/.config" ;; esac; done ;;
*bzImage*)
    echo "$*" >>"$out/makes"
    ! grep -q 'int BAD' "$out/../tree/mm/file.c" || { echo "mm/file.c:3:5: error: BAD"; echo 'make: *** [x] Error 2'; exit 2; }
    mkdir -p "$out/arch/x86/boot"; cp "$out/../tree/mm/file.c" "$out/arch/x86/boot/bzImage" ;;
esac
"""


class Trees(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)
        for name in ("bin", "patches", "suites/trixie/source/tree/mm"):
            (self.path / name).mkdir(parents=True)
        for name in ("flex", "bison", "bc", "gcc", "make"):
            (self.path / "bin" / name).write_text(MAKE if name == "make" else "#!/bin/sh\n", encoding="ascii")
            (self.path / "bin" / name).chmod(0o755)
        self.source = self.path / "suites/trixie/source"
        self.file = self.source / "tree/mm/file.c"
        self.file.write_text(FILE, encoding="ascii")
        (self.source / "ready").write_text("6.12.1\n", encoding="ascii")
        for name in ("guest.config", "one.config"):
            self.give(name, "CONFIG_A=y\n")
        for patch in (mock.patch.dict(os.environ, {"PATH": f"{self.path}/bin:{os.environ['PATH']}"}),
                      mock.patch.object(sources, "SOURCE", self.path / "patches"),
                      mock.patch.object(base, "need_room", lambda *_: None)):
            patch.start()
            self.addCleanup(patch.stop)
        base.processes.begin()
        self.tree = sources.SourceTree(suites.Suite(base.Cache(self.path), "trixie"), self.path, 2)

    def give(self, name, text):
        (self.path / "patches" / name).write_text(text, encoding="ascii")

    def test_a_patch_is_in_the_image_and_then_gone(self):
        self.give("one.patch", PATCH)
        image = self.tree.image(("one.config",), ("one.patch",))
        self.assertIn("int C;", image.read_text(encoding="ascii"))
        self.assertEqual(self.file.read_text(encoding="ascii"), FILE)
        plain = self.tree.image(("one.config",), ())
        self.assertEqual(plain.read_text(encoding="ascii"), FILE)
        self.assertEqual(self.tree.image(("one.config",), ("one.patch",)), image)
        self.assertEqual(len((self.source / "build/makes").read_text(encoding="ascii").splitlines()), 2)

    def test_another_patch_of_the_name_is_another_image(self):
        self.give("one.patch", PATCH)
        first = self.tree.image(("one.config",), ("one.patch",))
        self.give("one.patch", PATCH.replace("int C", "int X"))
        second = self.tree.image(("one.config",), ("one.patch",))
        self.assertNotEqual(first, second)
        self.assertIn("int X;", second.read_text(encoding="ascii"))

    def fails(self, words, patch):
        self.give("one.patch", patch)
        with self.assertRaisesRegex(base.Failure, words):
            self.tree.image(("one.config",), ("one.patch",))
        self.assertEqual(self.file.read_text(encoding="ascii"), FILE)
        self.assertEqual(list(self.source.glob("images/*")), [])

    def test_a_patch_that_does_not_fit(self):
        self.fails(r"^one\.patch does not fit Linux 6\.12\.1: mm/file\.c:1: hunk 1 finds nothing",
                   PATCH.replace("-int c", "-int z"))
        self.fails(r"^one\.patch does not fit Linux 6\.12\.1: it has no mm/none\.c", PATCH.replace("file.c", "none.c"))
        self.fails(r"^one\.patch changes no file", "Why.\n")

    def test_a_kernel_that_does_not_build(self):
        self.fails(r"one\.patch does not build: mm/file\.c:3:5: error: BAD", PATCH.replace("int C", "int BAD"))

    def test_what_an_interrupted_build_left_is_put_back(self):
        self.give("one.patch", PATCH)
        self.tree._apply(self.path / "patches/one.patch")
        self.assertIn("int C;", self.file.read_text(encoding="ascii"))
        self.assertEqual(self.tree.image(("one.config",), ()).read_text(encoding="ascii"), FILE)

    def test_an_option_that_the_source_does_not_have(self):
        self.assertEqual(list(sources.missing_options(
            "# Must.\nCONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n# May, as far as the source has\n# them.\nCONFIG_D=y\n"
            "# Must\nCONFIG_E=y\n", "CONFIG_A=y\nCONFIG_C=y\n")), ["CONFIG_B=y", "CONFIG_C=n", "CONFIG_E=y"])

    def test_every_configuration_has_its_files(self):
        here = Path(SCRIPTS) / "source"
        for fixes in sources.CONFIGS.values():
            for configs, patches in fixes.values():
                for name in (*configs, *patches):
                    self.assertTrue((here / name).exists(), name)


class DeviceSchedules(unittest.TestCase):
    def test_seeds_and_block_sizes(self):
        lines = device_schedules.device_lines(300, 7)
        self.assertEqual(lines, device_schedules.device_lines(300, 7))
        self.assertEqual(len(set(lines)), 300)
        for number, block in enumerate((512, 1024, 2048)):
            self.assertIn(f'"block":{block},"id":"{block}-7"', lines[number])
        # No two operations of a schedule may write equal bytes, so that a lost one is visible.
        for line in lines:
            values = [word.split(",")[0] for word in line.split('"v":')[1:]]
            self.assertEqual(len(values), len(set(values)))
            self.assertGreater(len(values), 0)


if __name__ == "__main__":
    unittest.main()
