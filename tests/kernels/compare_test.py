#!/usr/bin/python3
"""Tests of scripts/kernels/compare.sh: how it compares the sides' answers, and the schedules that it gives them."""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/kernels")
sys.path[:0] = [SCRIPTS, os.path.join(SCRIPTS, "../support")]
from harness import comparison, schedules  # noqa: E402
from harness.base import USAGE, Failure  # noqa: E402
from harness.sides import Sides  # noqa: E402

RANGE = [0, 200, 300]
OTHER = [0, 200, 400]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def collected(directory, filesystem="reiserfs", doubtful=(), **sides):
    """Fills a directory as compare.sh does. Each side: name of schedule -> ranges, or None."""
    names = sorted(sides["kernel"])
    write(f"{directory}/list", "".join(f"1024 /somewhere/{name}\n" for name in names))
    results = [{"run": name, "verdict": "unknown"} if found is None else
               {"run": name, "verdict": "damage" if found else "clean", "damaged": found}
               for name, found in sides["kernel"].items()]
    write(f"{directory}/kernel-1024-1.json", json.dumps({"rows": [
        {"kernel": "6.1", "filesystem": filesystem, "fix": "undone", "reasons": ["it said why"],
         "results": results}]}))
    for name in names:
        write(f"{directory}/schedules/{name}", "block 1024\n1 store file=0\n2 commit\n3 fsync file=0\n")
        write(f"{directory}/partialfs/{name}.json", json.dumps({
            "verdict": "damaged", "damage": [
                {"file": file, "offset": offset, "length": length, "stages": ["evicted"]}
                for file, offset, length in sides["partialfs"][name]]}))
    for side in ("model", "fuse", "emulated"):
        rule = filesystem if side == "model" else "ext3"
        write(f"{directory}/{side}.jsonl", "".join(
            json.dumps({"id": name, "filesystem": rule, "damage": sides[side][name],
                        "doubts": ["the clock"] if name in doubtful else []}) + "\n"
            for name in names))
    return directory


def run(directory):
    """Returns the exit code and the output."""
    sets = comparison.Collected(directory)
    return comparison.exit_code(sets), comparison.summary(sets) + comparison.without_answer(sets)


class Compare(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = self.directory.name

    def sides(self, **changes):
        equal = {"a": [RANGE], "b": []}
        return {side: dict(equal) for side in comparison.SIDES} | changes

    def test_all_equal(self):
        code, said = run(collected(self.path, **self.sides()))
        self.assertEqual(code, 0)
        self.assertIn("equal sets of damaged bytes, kernel and vmmodel --filesystem reiserfs: "
                      "2 of 2 (100.0 %)", said)

    def test_a_kernel_that_is_not_as_its_model_says(self):
        code, said = run(collected(self.path, **self.sides(kernel={"a": [OTHER], "b": []})))
        self.assertEqual(code, 1)
        self.assertIn("1 of 2 (50.0 %)", said)
        self.assertEqual(comparison.differing(comparison.Collected(self.path)), ["a"])

    def test_another_rule_may_differ_from_partialfs(self):
        """reiserfs loses other bytes than ext3; vmmodel predicts both."""
        code, said = run(collected(self.path, **self.sides(kernel={"a": [], "b": []},
                                                           model={"a": [], "b": []})))
        self.assertEqual(code, 0)
        self.assertIn("kernel and partialfs: 1 of 2 (50.0 %)\n    predicted of the 1 others: 1\n",
                      said)

    def test_an_ext3_may_differ_where_that_is_predicted(self):
        """`vmmodel --through fuse` models what a daemon cannot know."""
        code, said = run(collected(self.path, "ext3", **self.sides(
            kernel={"a": [], "b": []}, model={"a": [], "b": []}, emulated={"a": [], "b": []})))
        self.assertEqual(code, 0)
        self.assertIn("kernel and partialfs: 1 of 2 (50.0 %)\n    predicted of the 1 others: 1\n", said)

    def test_an_ext3_may_not_differ_where_nothing_predicts_it(self):
        code, said = run(collected(self.path, "ext3", **self.sides(partialfs={"a": [], "b": []})))
        self.assertEqual(code, 1)
        self.assertIn("kernel and partialfs: 1 of 2 (50.0 %)\n    predicted of the 1 others: 0\n", said)

    def test_what_the_clock_decides_is_not_counted(self):
        code, said = run(collected(self.path, doubtful=["a"], **self.sides(
            kernel={"a": [OTHER], "b": []})))
        self.assertEqual(code, 0)
        self.assertIn("the clock decides whether an fsync of them commits: 1\n", said)
        self.assertIn("kernel and vmmodel --filesystem reiserfs: 1 of 1 (100.0 %)", said)

    def test_a_side_without_an_answer(self):
        code, said = run(collected(self.path, **self.sides(kernel={"a": [RANGE], "b": None})))
        self.assertEqual(code, 3)
        self.assertIn("no answer from every side for 1 schedules: b\n    it said why", said)

    def test_the_kernel_is_asked_again_for_what_it_did_not_answer(self):
        collected(self.path, **self.sides(kernel={"a": [RANGE], "b": None}))
        write(f"{self.path}/kernel-1024-2.json", json.dumps({"rows": [
            {"kernel": "6.1", "filesystem": "reiserfs", "fix": "undone", "reasons": [],
             "results": [{"run": "b", "verdict": "clean"}]}]}))
        self.assertEqual(run(self.path)[0], 0)

    def asked(self, answers):
        """What run.sh was asked for in turn, if each time it answers as `answers` say: verdicts by schedule."""
        asked = []

        def rows(_block, paths, report):
            asked.append([path.name for path in paths])
            write(report, json.dumps({"rows": [{"results": [
                {"run": name, "verdict": verdict} for name, verdict in answers[len(asked) - 1].items()]}]}))

        one = Sides(None, [], Path(self.path))
        with mock.patch.object(one, "_run_rows", rows):
            one._on_kernel(Path(self.path), 1024, [Path("/x/a"), Path("/x/b")])
        return asked

    def test_only_the_unanswered_ones_are_asked_again_and_only_once(self):
        stopped = {"a": "clean", "b": "hang"}
        self.assertEqual(self.asked([{"a": "clean", "b": "damage"}]), [["a", "b"]])
        self.assertEqual(self.asked([stopped, {"b": "clean"}]), [["a", "b"], ["b"]])
        self.assertEqual(self.asked([stopped, {"b": "hang"}]), [["a", "b"], ["b"]])

    def test_where_they_part(self):
        wrong = collected(f"{self.path}/all", **self.sides(kernel={"a": [OTHER], "b": []}))
        steps = {"a.1": [], "a.2": [RANGE], "a.3": [RANGE]}
        prefixes = collected(f"{self.path}/prefixes", **{side: dict(steps) for side in comparison.SIDES}
                             | {"kernel": steps | {"a.2": [OTHER]}})
        said = "\n".join(comparison.parts(comparison.Collected(wrong), comparison.Collected(prefixes)))
        self.assertIn("a: kernel and vmmodel --filesystem reiserfs part at operation 2 commit\n"
                      "    lost if the schedule ends there, kernel: file 0 200+400", said)


class Schedules(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = self.directory.name

    def test_the_same_seed_is_the_same_schedule(self):
        block, path = schedules.make_random(self.path, 1, 7, 1024)[0]
        with open(path, encoding="utf-8") as file:
            first = file.read()
        self.assertEqual(block, 1024)
        self.assertEqual(first, schedules.Maker(7, 1024).text())
        self.assertNotEqual(first, schedules.Maker(8, 1024).text())

    def test_recorded_ones_are_a_file_each(self):
        source = f"{self.path}/recorded.jsonl"
        write(source, '{"block": 4096, "id": "x/y", "ops": []}\n\n{"block": 1024, "ops": []}\n')
        self.assertEqual([(block, os.path.basename(path)) for block, path in
                          schedules.split(self.path, source)],
                         [(4096, "x_y.jsonl"), (1024, "line-3.jsonl")])

    def test_a_recorded_commit_is_made_certain(self):
        source = f"{self.path}/recorded.jsonl"
        write(source, json.dumps({"block": 1024, "id": "x", "ops": [
            {"op": "fsync", "file": 1, "commits": True},
            {"op": "msync", "file": 0, "commits": False}]}))
        with open(schedules.split(self.path, source)[0][1], encoding="utf-8") as file:
            self.assertEqual(json.load(file)["ops"], [
                {"op": "fchmod", "file": 1}, {"op": "fsync", "file": 1}, {"op": "msync", "file": 0}])

    def test_what_is_no_recorded_schedule_is_told(self):
        source = f"{self.path}/wrong.jsonl"
        write(source, "mmapstress-schedule 1\n")
        with self.assertRaisesRegex(Failure, f"^line 1 of {source} is not a recorded schedule: ") as caught:
            schedules.split(self.path, source)
        self.assertEqual(caught.exception.code, USAGE)

    def test_prefixes_end_after_each_operation(self):
        source = f"{self.path}/one"
        write(source, "mmapstress-schedule 1\nblock 1024\n1 start-write file=0\n2 store file=0\n3 commit\n")
        steps = schedules.prefixes(self.path, source)
        self.assertEqual([os.path.basename(path) for _, path in steps], ["one.1", "one.2"])
        with open(steps[0][1], encoding="utf-8") as file:
            self.assertTrue(file.read().endswith("1 start-write file=0\n2 store file=0\n"))


if __name__ == "__main__":
    unittest.main()
