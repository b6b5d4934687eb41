#!/usr/bin/python3
"""Seeded kernel bugs (scripts/kernels): their headers, the result of a row, and that an interrupted run continues
where it ended. Builds and boots nothing."""

import os
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/kernels")
sys.path[:0] = [SCRIPTS, os.path.join(SCRIPTS, "../support")]
from harness import base, console, mutants, options, peers, qemu, sources  # noqa: E402

HEADER = "Breaks: it\nFunction: f\nNeeds: luck\nFilesystem: ext4/1024\n\n--- a/x\n+++ b/x\n"
ROW = {"kernel": "6", "verdict": "damage", "reasons": [], "first_damage": {"file": 0, "offset": 1},
       "results": [{"workload": "mix", "seconds": 12.3}]}


class Headers(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)

    def read(self, text):
        (self.path / "one.patch").write_text(text, encoding="utf-8")
        return mutants.list_mutants((), self.path)[0]

    def test_a_header(self):
        one = self.read(HEADER)
        self.assertEqual((one.name, one.patch, one.breaks, one.filesystem, one.block, one.processors, one.masked, one.blind),
                         ("one", "mutants/one.patch", "it", "ext4", 1024, 1, "", False))
        one = self.read(HEADER.replace("\n\n", "\nProcessors: 2\nDisk: slow-reads\nGuest: compact\nMasked: by luck\nBlind: yes\n\n"))
        self.assertEqual((one.processors, one.disk, one.guest, one.masked, one.blind),
                         (2, "slow-reads", "compact", "by luck", True))

    def test_a_wrong_header_is_told_with_file_and_line(self):
        for words, text in (("one.patch:2: a line of", HEADER.replace("Function:", "Fun:")),
                            ("one.patch:1: the header has no Breaks", HEADER.replace("Breaks: it\n", "")),
                            ("Filesystem takes NAME/BLOCK, not 'ext9/1024'", HEADER.replace("ext4", "ext9")),
                            ("Filesystem takes NAME/BLOCK, not 'ext4/2048'", HEADER.replace("1024", "2048")),
                            ("Processors takes 1 or 2, not '3'", HEADER.replace("\n\n", "\nProcessors: 3\n\n")),
                            ("Disk takes slow-reads or slow-writes, not 'fast'", HEADER.replace("\n\n", "\nDisk: fast\n\n")),
                            ("Guest takes compact or drop-caches", HEADER.replace("\n\n", "\nGuest: sleep\n\n")),
                            ("Blind takes yes, not 'no'", HEADER.replace("\n\n", "\nBlind: no\n\n"))):
            with self.assertRaisesRegex(base.Failure, words):
                self.read(text)

    def test_the_mutants_that_there_are(self):
        every = mutants.list_mutants(())
        self.assertGreaterEqual(sum(not one.masked for one in every), 20)
        for one in every:
            changed = sources.files_of(sources.SOURCE / one.patch)
            self.assertTrue(changed and one.breaks and one.function, one.name)
            lines = [line for line in (sources.SOURCE / one.patch).read_text(encoding="utf-8").splitlines()
                     if line[:1] in "+-" and line[:3] not in ("+++", "---")]
            self.assertLessEqual(len(lines), 24, f"{one.name} is no patch of a few lines")
        with self.assertRaisesRegex(base.Failure, "no mutant 'none': "):
            mutants.list_mutants(("none",))


class Results(unittest.TestCase):
    def setUp(self):
        self.one = mutants.list_mutants(("mkclean-writable",))[0]
        self.masked = mutants.list_mutants(("zap-not-dirty",))[0]

    def told(self, mutant=None, **more):
        return mutants.told(mutant or self.one, ROW | more)

    def test_verdicts(self):
        found = self.told()
        self.assertEqual((found["verdict"], found["found_by"], found["seconds"]), ("found", "mix", 12.3))
        self.assertEqual(self.told(verdict="clean")["verdict"], "not found")
        self.assertEqual(self.told(verdict="oops", reasons=["BUG: x"])["reason"], "BUG: x")
        gone = self.told(verdict="unknown", reasons=["x"], results=[{"gone": [{"file": 0}], "workload": "wild", "seconds": 2}])
        self.assertEqual((gone["verdict"], gone["found_by"]), ("found", "wild"))
        nothing = self.told(verdict="unknown", reasons=["x"], results=[{"ran": "clean", "seconds": 300}])
        self.assertEqual((nothing["verdict"], nothing["seconds"]), ("not found", 300))
        untold = self.told(verdict="unknown", reasons=["no boot"], results=[])
        self.assertEqual((untold["verdict"], untold["reason"]), ("could not tell", "no boot"))

    def test_exit_codes(self):
        clean, untold = self.told(verdict="clean"), self.told(verdict="unknown")
        masked = self.told(self.masked, verdict="clean")
        for code, results in ((0, [self.told(), masked]), (1, [self.told(), clean]), (3, [clean, untold]), (1, [self.told(verdict="oops", reasons=["x"])])):
            self.assertEqual(mutants.exit_code(results), code)

    def test_the_table_counts(self):
        text = mutants.table([self.told(), self.told(verdict="clean"), self.told(self.masked, verdict="clean"),
                              self.told(verdict="unknown", reasons=["no boot"])])
        for words in ("found of the 3 mutants that can be noticed: 1\n", "found of the 1 mutants masked: 0\n",
                      "mkclean-writable: no boot\n", "not found, masked\n", "mix       12 s"):
            self.assertIn(words, text)

    def test_durations(self):
        self.assertEqual([mutants.seconds_of(text) for text in ("5min", "90s", "1500ms", "1h")], [300, 90, 2, 3600])
        for text in ("5", "min", "-3s", ""):
            with self.assertRaisesRegex(base.Failure, "--duration takes"):
                mutants.seconds_of(text)


class Tree:
    """Replaces sources.SourceTree."""
    release = "6.12.1"

    def __init__(self, path, broken=()):
        self.path, self.broken, self.built = path, broken, []

    def image_path(self, _configs, patches):
        return self.path / f"image-{Path(patches[0]).stem}"

    def image(self, configs, patches):
        self.built.append(Path(patches[0]).stem)
        if self.built[-1] in self.broken:
            raise base.Failure(3, f"{patches[0]} does not fit: mm/rmap.c:9: hunk 1")
        return self.image_path(configs, patches)


class Hunts(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)
        for name in ("init", "engine"):
            (self.path / name).write_text(name, encoding="ascii")
        self.names = ("mkclean-writable", "zap-not-dirty", "truncate-tail")
        self.boots, self.durations = [], {}

    def hunt(self, *arguments, broken=(), verdict="found", others=()):
        """`others`: the programs on PATH."""
        parsed = options.parse_run(["--mutants", ",".join(self.names), *arguments])
        self.tree = Tree(self.path, broken)
        with mock.patch.object(mutants, "find_peers", lambda: list(others)):
            hunt = mutants.Hunt(parsed, qemu.Machine(), self.tree, {name: self.path / name for name in ("init", "engine")},
                                self.path, base.Cache(self.path))

        def booted(mutant, _image, with_engine, some):
            self.durations[mutant.name] = hunt._duration(mutant)
            self.boots += [mutant.name] * with_engine + [f"{peer.name} on {mutant.name}" for peer in some]
            own = mutants.told(mutant, ROW) if verdict == "found" else mutants._untold(mutant, "no boot")
            return own if with_engine else None, {peer.name: {"verdict": "not found", "words": "not found"} for peer in some}
        with mock.patch.object(hunt, "_hunt", booted):
            return hunt.run(mutants.list_mutants(parsed.mutants))

    def test_a_run_goes_on_where_another_ended(self):
        self.assertEqual([result["mutant"] for result in self.hunt()], list(self.names))
        self.hunt()
        self.assertEqual((sorted(self.boots), self.tree.built), (sorted(self.names), []))
        self.hunt("--again")
        self.assertEqual(len(self.boots), 6)
        self.hunt("--duration", "9s")
        self.assertEqual(len(self.boots), 9)
        (self.path / "engine").write_text("another", encoding="ascii")
        self.hunt()
        self.assertEqual(len(self.boots), 12)

    def test_a_peer_is_asked_beside_what_is_known(self):
        self.hunt()
        (self.path / "fsx").write_text("fsx", encoding="ascii")
        fsx = peers.Peer("fsx", self.path / "fsx", ())
        results = self.hunt("--peers", "--peer-duration", "9s", others=[fsx])
        self.assertEqual(sorted(self.boots[3:]), sorted(f"fsx on {name}" for name in self.names))
        self.assertTrue(all((one["verdict"], one["peers"]) == ("found", {"fsx": "not found"}) for one in results))
        self.hunt("--peers", "--peer-duration", "9s", others=[fsx])
        self.assertEqual(len(self.boots), 6)
        self.hunt("--peers", "--peer-duration", "8s", others=[fsx])
        self.assertEqual(len(self.boots), 9)

    def test_a_masked_one_has_a_minute(self):
        self.hunt()
        self.assertEqual(self.durations, {"mkclean-writable": "5min", "zap-not-dirty": "1min", "truncate-tail": "5min"})
        self.hunt("--duration", "9s")
        self.assertEqual(set(self.durations.values()), {"9s"})

    def test_what_could_not_be_told_is_tried_again(self):
        self.hunt(verdict="unknown")
        self.hunt()
        self.assertEqual(len(self.boots), 6)

    def test_a_kernel_that_cannot_be_made_keeps_none_of_the_others(self):
        results = self.hunt(broken=("zap-not-dirty",))
        self.assertEqual([result["verdict"] for result in results], ["found", "could not tell", "found"])
        self.assertIn("mm/rmap.c:9", results[1]["reason"])

    def test_slots(self):
        slots, order = mutants.Slots(2), []
        slots.take(1)
        two = threading.Thread(target=lambda: (slots.take(2), order.append("two"), slots.give(2)))
        two.start()
        slots.take(1)
        order.append("one")
        slots.give(1)
        slots.give(1)
        two.join()
        self.assertEqual(order, ["one", "two"])
        slots.take(9)  # more than there are: takes all of them


class Peers(unittest.TestCase):
    def test_what_is_on_the_path(self):
        with tempfile.TemporaryDirectory() as directory, mock.patch.dict(os.environ, {"PATH": directory}):
            self.assertEqual(peers.find_peers(), [])
            for name in ("fsx", "stress-ng"):
                Path(directory, name).write_text("#!/bin/sh\n", encoding="ascii")
                Path(directory, name).chmod(0o755)
            found = peers.find_peers()
        self.assertEqual([peer.name for peer in found], ["fsx", "stress-ng"])
        self.assertEqual(found[1].argv(7)[-2:], ("--timeout", "7s"))
        self.assertTrue(all("@DIR@" in " ".join(peer.argv(7)) for peer in found))

    def test_how_they_end(self):
        end = {"exit": 0, "signal": 0, "timed_out": False, "seconds": 3.2}
        for words, more in (("not found", {}), ("not found", {"timed_out": True, "exit": -1, "signal": 9}),
                            ("found (exit code 1, 3 s)", {"exit": 1}), ("found (signal 7, 3 s)", {"exit": -1, "signal": 7})):
            self.assertEqual(peers.peer_verdict(console.Run(programs={"argv": end | more}))["words"], words)
        self.assertEqual(peers.peer_verdict(None)["verdict"], "could not tell")
        self.assertEqual(peers.peer_verdict(console.Run())["verdict"], "could not tell")
        oopsed = console.Run(programs={"argv": end}, trouble=[("oops", "BUG: x")])
        self.assertEqual(peers.peer_verdict(oopsed), {"verdict": "oops", "words": "oops", "said": "BUG: x"})


if __name__ == "__main__":
    unittest.main()
