"""Compares what the same schedules damaged on a booted kernel, on partialfs and in vmmodel.

The sides' answers are in a directory that sides.py filled: schedules/NAME (text), list ("BLOCK PATH" lines),
kernel-BLOCK-N.json (run.sh's rows; the second ones are of what had no answer in the first), partialfs/NAME.json
(mmapstress' reports), and vmmodel's predictions: model.jsonl for the kernel's filesystem, emulated.jsonl for what
partialfs emulates (a genuine 2.6.19 with ext3, or a block device), fuse.jsonl for what partialfs can know of it.

The kernel must match the model of its filesystem, and partialfs the model of what it can know. The two may differ
where these predictions differ. A schedule of which vmmodel is not certain is not counted.
"""
import json
import os
import re
from pathlib import Path

from .base import UNKNOWN
from .results import joined, ranges_of

SIDES = ("kernel", "model", "partialfs", "fuse", "emulated")
TITLES = {"kernel": "kernel", "partialfs": "partialfs", "model": "vmmodel",
          "fuse": "vmmodel --through fuse", "emulated": "vmmodel"}
MUST = (("kernel", "model"), ("partialfs", "fuse"))
MAY = (("kernel", "partialfs"), ("partialfs", "emulated"))


def _only_row(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["rows"][0]


def answers_in(path):
    """The sets of damaged bytes in run.sh's only row, by the run's label; runs that could not tell have none."""
    return {result["run"]: joined(result.get("damaged", [])) for result in _only_row(path)["results"]
            if result["verdict"] in ("clean", "damage")}


class Collected:
    """The sets of damaged bytes by schedule name and side; None where a side could not tell."""

    def __init__(self, directory, rule=("linux-2.6.19", "ext3")):
        self.directory = directory
        self.rule = rule  # partialfs' contract and flush policy
        self.blocks = {}
        self.kernel = None
        self.titles = dict(TITLES)
        self.uncertain = set()
        self.reasons = []
        with open(os.path.join(directory, "list"), encoding="utf-8") as file:
            for line in file:
                block, path = line.split(maxsplit=1)
                self.blocks[os.path.basename(path.strip())] = int(block)
        self.sets = {side: dict.fromkeys(self.blocks) for side in SIDES}
        for block in sorted(set(self.blocks.values())):
            for path in sorted(Path(directory).glob(f"kernel-{block}-*.json")):
                self._read_kernel(path)
        for name in self.blocks:
            self._read_partialfs(name)
        for side in ("model", "fuse", "emulated"):
            self._read_prediction(side)

    def _read_kernel(self, path):
        row = _only_row(path)
        self.kernel = f"{row['kernel']} with {row['filesystem']}, fix {row['fix']}"
        if row["fix"] == "unknown":
            self.kernel = f"{row['kernel']} with {row['filesystem']}"
        self.reasons += row["reasons"]
        self.sets["kernel"] |= answers_in(path)

    def _read_partialfs(self, name):
        try:
            with open(os.path.join(self.directory, "partialfs", f"{name}.json"),
                      encoding="utf-8") as file:
                report = json.load(file)
        except (OSError, ValueError) as error:
            self.reasons.append(f"{name} on partialfs: {error}")
            return
        if report.get("verdict") in ("clean", "damaged"):
            self.sets["partialfs"][name] = ranges_of(report)
        else:
            self.reasons += [f"{name} on partialfs: {problem['message']}"
                             for problem in report.get("problems", [])[:1]]

    def _read_prediction(self, side):
        with open(os.path.join(self.directory, f"{side}.jsonl"), encoding="utf-8") as file:
            for line in file:
                prediction = json.loads(line)
                self.sets[side][prediction["id"]] = joined(prediction["damage"])
                if prediction["doubts"]:
                    self.uncertain.add(prediction["id"])
                if side == "model" and prediction["filesystem"] != "ext3":
                    self.titles["model"] = f"vmmodel --filesystem {prediction['filesystem']}"

    def differ(self, name, one, other):
        """Whether two sides, which both have an answer, give different sets."""
        a, b = self.sets[one][name], self.sets[other][name]
        return a is not None and b is not None and a != b

    def parted(self, name):
        """The pairs of sides that differ on a schedule and should not."""
        return [] if name in self.uncertain else [pair for pair in MUST if self.differ(name, *pair)]


def percent(part, whole):
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "0 of 0"


def summary(collected):
    titles = collected.titles
    out = [f"kernel: {collected.kernel}", "partialfs: contract {}, flush policy {}".format(*collected.rule),
           f"schedules: {len(collected.blocks)}, damaged on " + ", ".join(
               f"{titles[side]} {sum(1 for found in collected.sets[side].values() if found)}"
               for side in SIDES[:4])]
    if collected.uncertain:
        out.append(f"not counted, as the clock decides whether an fsync of them commits: "
                   f"{len(collected.uncertain)}")
    for one, other in MUST + MAY:
        answered = [name for name in collected.blocks if name not in collected.uncertain
                    and None not in (collected.sets[one][name], collected.sets[other][name])]
        equal = sum(not collected.differ(name, one, other) for name in answered)
        line = f"equal sets of damaged bytes, {titles[one]} and {titles[other]}: "
        out.append(line + percent(equal, len(answered)))
        if equal < len(answered) and (one, other) in MAY:
            told = sum(collected.differ(name, one, other) and not collected.parted(name)
                       for name in answered)
            out.append(f"    predicted of the {len(answered) - equal} others: {told}")
    return "\n".join(out) + "\n"


def operations_of(path):
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().splitlines()
                if re.match(r"\d+ (?!start-write)", line)]


def in_words(ranges):
    text = ", ".join(f"file {file} {offset}+{length}" for file, offset, length in ranges[:4])
    return (text or "nothing") + (f" and {len(ranges) - 4} more" if len(ranges) > 4 else "")


def parts(collected, prefixes):
    """For each schedule whose sides differ: the first operation after which they do, by `prefixes`, the
    answers for the schedules NAME.1, NAME.2, ... up to NAME. Yields lines."""
    for name in collected.blocks:
        steps = sorted((int(prefix[len(name) + 1:]), prefix) for prefix in prefixes.blocks
                       if prefix.rpartition(".")[0] == name)
        operations = operations_of(os.path.join(collected.directory, "schedules", name))
        for one, other in collected.parted(name) if steps else ():
            step = next((s for s in steps if prefixes.differ(s[1], one, other)), None)
            title = f"{name}: {collected.titles[one]} and {collected.titles[other]}"
            if step is None:
                yield (f"{title} part only in the run of all operations")
                continue
            yield (f"{title} part at operation {operations[step[0] - 1]}")
            for side in (one, other):
                yield (f"    lost if the schedule ends there, {collected.titles[side]}: "
                      f"{in_words(prefixes.sets[side][step[1]])}")


def silent(collected):
    """The schedules for which a side has no answer."""
    return [name for name in collected.blocks
            if any(collected.sets[side][name] is None for side in SIDES)]


def differing(collected):
    return [name for name in collected.blocks if collected.parted(name)]


def without_answer(collected):
    """What to say of silent() schedules, or nothing."""
    names = silent(collected)
    if not names:
        return ""
    return (f"no answer from every side for {len(names)} schedules: {', '.join(names[:5])}\n"
            + "".join(f"    {reason}\n" for reason in collected.reasons[:3]))


def as_json(collected):
    differ = differing(collected)
    return json.dumps({"format": "partialfs-kernels-compare", "version": 2,
                       "kernel": collected.kernel, "schedules": [
                           {"name": name, "block_size": block, "equal": name not in differ,
                            "certain": name not in collected.uncertain,
                            **{side: collected.sets[side][name] for side in SIDES}}
                           for name, block in collected.blocks.items()]}, indent=1)


def exit_code(collected):
    """0 all sets are as they must be, 1 some are not, 3 a side has no answer for a schedule."""
    return UNKNOWN if silent(collected) else 1 if differing(collected) else 0
