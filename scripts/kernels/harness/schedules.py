"""Schedules for compare.sh, one file each, in mmapstress' text format (or one recorded line). The functions that
write schedules return (block size, path) of each."""
import json
import os
import random
import re
from pathlib import Path

from .base import USAGE, Failure

PAGE = 4096


class Maker:
    """One random schedule, without anything that a kernel decides freely or by the clock."""

    def __init__(self, seed, block):
        self.dice = random.Random(seed)
        self.block = block
        self.lines = []
        self.number = 0
        self.files = self.dice.randint(1, 2)
        self.size = self.dice.randint(2, 5) * PAGE - self.dice.choice((0, 0, 1, 700, 2500))
        self.hot = self.dice.randrange((self.size + PAGE - 1) // PAGE)
        self.start = self.dice.choice(("sparse", "written", "written+fsync"))
        self.seed = seed

    def op(self, text):
        self.number += 1
        self.lines.append(f"{self.number} {text}")

    def range(self, longest):
        """A range of the file: in the page where most happens, of whole blocks, or anywhere."""
        if self.dice.random() < 0.5:
            offset = self.hot * PAGE + self.dice.randrange(min(PAGE, self.size - self.hot * PAGE))
            return f"off={offset} len={min(self.dice.randint(1, 600), self.size - offset)}"
        if self.dice.random() < 0.4:
            blocks = self.size // self.block
            first = self.dice.randrange(blocks)
            offset = first * self.block
            length = self.block * min(self.dice.randint(1, 3), blocks - first)
        else:
            offset = self.dice.randrange(self.size)
            length = min(self.dice.randint(1, longest), self.size - offset)
        return f"off={offset} len={length}"

    def store(self, file):
        self.op(f"store file={file} map={self.dice.choice((0, 0, 0, 1))} {self.range(1500)}")

    def write(self, file):
        self.op(f"write file={file} {self.range(1500)}")

    def sync_range(self, file):
        pages = (self.size + PAGE - 1) // PAGE
        first = self.dice.randrange(pages)
        length = PAGE * self.dice.randint(1, pages - first)
        self.op(f"sync_file_range file={file} off={first * PAGE} len={length}")

    def sync(self, file):
        # Unless the inode is dirty, whether a sync commits depends on the one-second clock of mtime.
        self.op(f"fchmod file={file}")
        kind = self.dice.choice(("fsync", "fsync", "fdatasync", "msync"))
        self.op(f"{kind} file={file}")

    def other(self, file):
        kind = self.dice.choice(("read-fault", "mprotect", "remap"))
        where = f" off={self.dice.randrange(self.size)}" if kind == "read-fault" else ""
        self.op(f"{kind} file={file}{where}")

    def text(self):
        steps = ((self.store, 42), (self.write, 12), (self.sync_range, 14), (self.sync, 5),
                 (self.other, 3), (None, 24))
        for step in self.dice.choices([s for s, _ in steps], [w for _, w in steps],
                                      k=self.dice.randint(12, 60)):
            if step is None:
                self.op("commit")
            else:
                step(self.dice.randrange(self.files))
        end = self.dice.choice(("fsync,munmap,fsync",) * 3 + ("munmap,fsync",))
        head = ["mmapstress-schedule 1", f"seed {self.seed}", f"block {self.block}", f"end {end}"]
        head += [f"file {i} size={self.size} start={self.start}" for i in range(self.files)]
        return "\n".join(head + self.lines) + "\n"


def write(directory, name, block, text):
    path = Path(directory) / name
    path.write_text(text, encoding="utf-8")
    return int(block), path


def make_random(directory, count, first_seed, block):
    """Writes random schedules, by seed."""
    return [write(directory, f"random-{block}-{seed}", block, Maker(seed, block).text())
            for seed in range(first_seed, first_seed + count)]


def by_no_clock(recorded):
    """Removes the influence of mtime's one-second clock on a recorded schedule: an fsync that committed is made
    certain to, by an fchmod before it."""
    operations = []
    for operation in recorded["ops"]:
        if operation.pop("commits", False):
            operations.append({"op": "fchmod", "file": operation["file"]})
        operations.append(operation)
    return json.dumps(recorded | {"ops": operations}, separators=(",", ":")) + "\n"


def split(directory, path):
    """Splits recorded schedules into a file for each line of JSON."""
    written = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                recorded = json.loads(line)
                block, name = recorded["block"], recorded.get("id") or f"line-{number}"
                text = by_no_clock(recorded)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Failure(USAGE, f"line {number} of {path} is not a recorded schedule: {error}") from error
            written.append(write(directory, f"{re.sub('[^A-Za-z0-9._-]', '_', str(name))}.jsonl", block, text))
    return written


def prefixes(directory, path):
    """Writes the schedule cut off after each operation."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    operations = [i for i, line in enumerate(lines)
                  if re.match(r"\d+ (?!start-write)", line)]
    block = next((line.split()[1] for line in lines if line.startswith("block ")), "4096")
    return [write(directory, f"{os.path.basename(path)}.{count}", block, "\n".join(lines[:last + 1]) + "\n")
            for count, last in enumerate(operations, 1)]
