#!/usr/bin/python3
"""Judges what a program left behind, for run.sh.

  judge.py compare REFERENCE ACTUAL IGNORED RANDOM
                                                  print the wrong bytes in ACTUAL, as JSON
  judge.py record KEY=VALUE...                    print one run as a line of JSON, see record()
  judge.py table FILE                             print the table; exit 0 if every row is as expected
  judge.py json FILE                              the same as JSON

IGNORED has a line for each thing that may differ: a file's path below the directory, or
PATH:OFFSET+LENGTH for a range of its bytes. RANDOM has a line for each regular expression of names that
differ in each run; in paths a * replaces what matches.
"""

import json
import os
import re
import signal
import sys

PIECE = 1 << 20  # bytes compared at once; only pieces that differ are compared byte by byte

# What `expect` allows under linux-2.6.19: the checker's verdicts, and whether there are wrong bytes. Under linux-2.6.20
# everything must be as for `immune`.
EXPECTATIONS = {
    "damaged": ({"damaged"}, {True}),
    "unnoticed": ({"good"}, {True}),
    "sometimes": ({"good", "damaged"}, {True, False}),
    "sometimes-unnoticed": ({"good"}, {True, False}),
    "immune": ({"good"}, {False}),
    # Under linux-2.6.20, on a disk with faults; the wrong bytes are those of the file `result`.
    "fault-safe": ({"good"}, {False}),
    "fault-damaged": ({"damaged"}, {True}),
    # Under linux-2.6.20, with repeated power cuts; the wrong bytes are those of the file `result`.
    "power-safe": ({"good"}, {False}),
    "power-damaged": ({"damaged"}, {True}),
}


class Names:
    """Gives paths names that are the same in each run."""

    def __init__(self, lines):
        self.random = [re.compile(line) for line in lines.splitlines() if line]

    def of(self, path):
        for expression in self.random:
            path = expression.sub("*", path)
        return path

    def files_below(self, root):
        """The files below a directory: the name and the path of each."""
        found = {}
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if found.setdefault(self.of(os.path.relpath(path, root)), path) != path:
                    sys.exit(f"judge.py: {path} and another file have the same name, except for random parts")
        return found


def runs_of_difference(left, right, offset):
    """The ranges (start, end) in which two pieces of a file differ; bytes past the end of the shorter one count."""
    shorter = min(len(left), len(right))
    for page in range(0, shorter, 4096):
        a, b = left[page:page + 4096], right[page:page + 4096]
        if a[:shorter - page] == b[:shorter - page]:
            continue
        start = None
        for i in range(min(len(a), len(b))):
            if a[i] != b[i] and start is None:
                start = i
            elif a[i] == b[i] and start is not None:
                yield offset + page + start, offset + page + i
                start = None
        if start is not None:
            yield offset + page + start, offset + page + min(len(a), len(b))
    if len(left) != len(right):
        yield offset + shorter, offset + max(len(left), len(right))


def wrong_ranges(expected, actual):
    """The ranges in which a file differs from its reference."""
    with open(expected, "rb") as left, open(actual, "rb") as right:
        offset = 0
        while (a := left.read(PIECE)) + (b := right.read(PIECE)):
            if a != b:
                yield from runs_of_difference(a, b, offset)
            offset += PIECE


class Ignored:
    """What the program's file allows to differ: FILE, or FILE:OFFSET+LENGTH."""

    def __init__(self, lines):
        self.whole, self.parts = set(), {}
        for pattern in filter(None, lines.splitlines()):
            match = re.fullmatch(r"(.+):(\d+)\+(\d+)", pattern)
            if match:
                self.parts.setdefault(match[1], []).append((int(match[2]), int(match[2]) + int(match[3])))
            else:
                self.whole.add(pattern)

    def rest(self, path, ranges):
        """The ranges of a file without those that may differ."""
        if path in self.whole:
            return []
        for low, high in self.parts.get(path, []):
            ranges = [part for start, end in ranges
                      for part in ((start, min(end, low)), (max(start, high), end)) if part[0] < part[1]]
        return list(ranges)


def compare(reference, actual, ignored_lines, random_lines):
    ignored, names = Ignored(ignored_lines), Names(random_lines)
    expected, found = names.files_below(reference), names.files_below(actual)
    if not expected.keys() - ignored.whole:
        sys.exit("judge.py: the reference has no file to compare with")
    wrong = {name: [(0, os.path.getsize(expected.get(name) or found[name]))]
             for name in expected.keys() ^ found.keys()}
    for name in expected.keys() & found.keys():
        wrong[name] = wrong_ranges(expected[name], found[name])
    wrong = {name: ignored.rest(name, ranges) for name, ranges in wrong.items()}
    print(json.dumps({name: ranges for name, ranges in wrong.items() if ranges}))
    return 0


def mapped(trace, directory):
    """How files below the directory were mapped, from strace's output: "rw", "r" or "no".

    "rw": MAP_SHARED and PROT_WRITE, from the start or by a later mprotect; "r": MAP_SHARED, read only.
    """
    call = re.compile(r"^(?:\d+ +)?(mmap|mprotect|munmap)\((\w+), (\d+)(?:, (\S+?))?"
                      r"(?:, (\S+), \d+<(.*)>, \S+)?\) += (\w+)")
    shared, seen = [], "no"
    with open(trace, encoding="utf-8", errors="replace") as source:
        for line in source:
            match = call.match(line)
            if not match:
                continue
            name, address, length, protection, flags, path, result = match.groups()
            if name == "mmap" and path and path.startswith(directory + "/") and "MAP_SHARED" in flags:
                shared.append((int(result, 16), int(length)))
            elif not (name == "mprotect" and any(start <= int(address, 16) < start + size
                                                 for start, size in shared)):
                continue
            if "PROT_WRITE" in protection:
                return "rw"
            seen = "r"
    return seen


class LedgerFull(Exception):
    """The last line of the ledger says that it does not have every loss."""


def lost_ranges(ledger, ignored, names):
    """What is still lost according to the ledger, by file: the entries that are not healed."""
    lost = {}
    with open(ledger, encoding="utf-8") as source:
        for entry in (json.loads(line) for line in source if line.strip()):
            if "not_kept" in entry:
                raise LedgerFull(f"the mount's ledger was full: it lacks {entry['not_kept_bytes']} bytes")
            if entry["healed_at"] is None and entry["kind"] != "cut":
                lost.setdefault(names.of(entry["path"]), []).append(
                    (entry["offset"], entry["offset"] + entry["length"]))
    return {path: ignored.rest(path, ranges) for path, ranges in lost.items()}


def total(ranges_by_path):
    return sum(end - start for ranges in ranges_by_path.values() for start, end in ranges)


def outside(ranges_by_path, others):
    """How many bytes of the ranges are outside of all the others. Ranges of one file do not overlap."""
    count = 0
    for path, ranges in ranges_by_path.items():
        covers, next_cover = sorted(others.get(path, [])), 0
        for start, end in sorted(ranges):
            while next_cover < len(covers) and covers[next_cover][1] <= start:
                next_cover += 1
            count += end - start
            cover = next_cover
            while cover < len(covers) and covers[cover][0] < end:
                low, high = covers[cover]
                if high > start:
                    count -= min(high, end) - max(low, start)
                    start = min(high, end)
                cover += 1
    return count


def why_not(run):
    """What is not as expected of a run, or nothing."""
    faults = run["expect"].startswith(("fault-", "power-"))
    expect = run["expect"] if run["contract"] == "linux-2.6.19" or faults else "immune"
    verdicts, damage = EXPECTATIONS[expect]
    if run["verdict"] == "error":
        return run["checker"] or "it could not be judged"
    if run["verdict"] not in verdicts:
        return f"the checker said {run['verdict']}"
    if (run["wrong"] > 0) not in damage:
        return f"{run['wrong']} wrong bytes"
    if run["verdict"] == "damaged" and run["wrong"] == 0:
        return "the checker complains of files that are like the reference"
    if faults:
        return ""
    if run["unexplained"]:
        return f"{run['unexplained']} of {run['wrong']} wrong bytes are not in the ledger"
    if run["by_chance"] and (run["exact"] or run["wrong"] == 0):
        return f"{run['by_chance']} of {run['lost']} bytes that the ledger calls lost are right on disk"
    if run["wrong"] > 0 and run["mapped"] != "rw":
        return "bytes are lost, but no shared writable mapping was seen"
    return ""


def record(*pairs):
    """The pairs from run.sh. Of the row: the program (its file's name), title, version, expect, why, settings. Of
    the run: contract, number, verdict, the checker's output, seconds, and whether the ledger must be exact. The
    names of the files with the wrong bytes, the ledger and strace's log; the directory they are about; IGNORED and
    RANDOM as for compare."""
    run = dict(pair.split("=", 1) for pair in pairs)
    wrong_file, trace, ledger = (run.pop(name) for name in ("wrong", "trace", "ledger"))
    directory, ignored, names = run.pop("directory"), Ignored(run.pop("ignore")), Names(run.pop("random"))
    run["number"], run["seconds"] = int(run["number"]), round(float(run["seconds"]), 1)
    run["exact"] = run["exact"] == "true"
    wrong, lost = {}, {}
    if os.path.exists(wrong_file) and os.path.getsize(wrong_file):
        with open(wrong_file, encoding="utf-8") as source:
            wrong = json.load(source)
    try:
        if os.path.exists(ledger):
            lost = lost_ranges(ledger, ignored, names)
    except LedgerFull as why:
        run.update(verdict="error", checker=str(why))
    run.update(wrong=total(wrong), lost=total(lost), unexplained=outside(wrong, lost), by_chance=outside(lost, wrong),
               mapped=mapped(trace, directory) if os.path.exists(trace) else "?")
    run["why_not"] = why_not(run)
    print(json.dumps(run))
    verdict = "as expected" if not run["why_not"] else "NOT AS EXPECTED: " + run["why_not"]
    print(f"{run['title']}, {run['contract']}, run {run['number']}: {run['checker']}; "
          f"{run['lost']} bytes lost, {run['wrong']} wrong; {run['seconds']} s: {verdict}",
          file=sys.stderr)
    return 0


def rows(path):
    """The runs of each row, with the rows in the order of their first runs."""
    grouped = {}
    with open(path, encoding="utf-8") as source:
        for line in source:
            run = json.loads(line)
            grouped.setdefault(run["program"], []).append(run)
    return grouped


def span(numbers, form="{:,}"):
    """"7" or "7-9": the smallest and the largest."""
    low, high = form.format(min(numbers)), form.format(max(numbers))
    return low if low == high else f"{low}-{high}"


def said(runs):
    """The checker's verdicts on some runs, counted: "damaged 5/5"."""
    if not runs:
        return "-"
    verdicts = [run["verdict"] for run in runs]
    return ", ".join(f"{verdict} {verdicts.count(verdict)}/{len(runs)}"
                     for verdict in ("damaged", "good", "error") if verdict in verdicts)


def table(path):
    contracts = ("linux-2.6.19", "linux-2.6.20")
    lines = [("PROGRAM", "VERSION", "MAPPED", *contracts, "LOST BYTES", "WRONG BYTES",
              "SETTINGS", "TIME", "AS EXPECTED")]
    notes = []
    failed = 0
    for runs in rows(path).values():
        title = runs[0]["title"]
        by_contract = {name: [run for run in runs if run["contract"] == name] for name in contracts}
        of_interest = by_contract["linux-2.6.19"] or runs
        unexpected = [run for run in runs if run["why_not"]]
        failed += bool(unexpected)
        lines.append((title, runs[0]["version"],
                      "/".join(sorted({run["mapped"] for run in runs}, reverse=True)),
                      *(said(by_contract[name]) for name in contracts),
                      span([run["lost"] for run in of_interest]),
                      span([run["wrong"] for run in of_interest]), runs[0]["settings"],
                      span([run["seconds"] for run in runs], "{:.1f}") + " s",
                      "NO" if unexpected else "yes"))
        note = [title]
        for name in contracts:
            words = sorted({run["checker"] for run in by_contract[name]})
            if words:
                note.append(f"  {name}: " + words[0] + (f" (and {len(words) - 1} like it)"
                                                        if len(words) > 1 else ""))
        if runs[0]["why"]:
            under = ("on a disk with faults" if runs[0]["expect"].startswith("fault-") else
                     "under power cuts" if runs[0]["expect"].startswith("power-") else "under linux-2.6.19")
            note.append(f"  expected {under}: {runs[0]['expect']}; {runs[0]['why']}")
        note += [f"  NOT AS EXPECTED, {run['contract']}, run {run['number']}: {run['why_not']}"
                 for run in unexpected]
        notes += note
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    print("\nWhat each checker said:")
    print("\n".join(notes))
    return 1 if failed else 0


def as_json(path):
    grouped = rows(path)
    result = [{"program": name, **{key: runs[0][key] for key in
                                   ("title", "version", "expect", "exact", "why", "settings")},
               "as_expected": not any(run["why_not"] for run in runs),
               "runs": [{key: run[key] for key in ("contract", "number", "verdict", "checker", "mapped",
                                                   "lost", "wrong", "unexplained", "by_chance", "seconds", "why_not")}
                        for run in runs]} for name, runs in grouped.items()]
    print(json.dumps({"as_expected": all(row["as_expected"] for row in result), "rows": result}, indent=2))
    return 0


COMMANDS = {"compare": compare, "record": record, "table": table, "json": as_json}

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # on ^C it ends without a message
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
