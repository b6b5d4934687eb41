"""Prints the rows that results.py made: as text (a table), JSON or KTAP."""
import json

from .base import UNKNOWN

_WORDS = {"undone": "undone", "buffer-heads": "buffer heads", "present": "present", "absent": "absent", "unknown": "as built"}


def first_in_words(first):
    if first is None:
        return "-"
    return (f"{first['run']}: file {first['file']} at {first['offset']}, "
            f"{first['length']} bytes {first['kind']}")


def kinds_in_words(kinds):
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "-"


_VERDICTS = {"unknown": "could not tell", "absent": "cannot be made"}


def result_in_words(row):
    verdict = _VERDICTS.get(row["verdict"], row["verdict"])
    if row["expect"] is None or row["verdict"] in _VERDICTS:
        return verdict
    return verdict + (" (expected)" if row["as_expected"] else f", not {row['expect']}")


def title(row):
    return f"{filesystem_in_words(row)} {row['block_size']}, fix {_WORDS[row['fix']]}, {row['workload']}"


def filesystem_in_words(row):
    name = row["filesystem"]
    return f"partialfs {row['contract']} on {name}" if row.get("contract") else name


def table(rows):
    head = ["kernel", "filesystem", "block", "fix", "workload", "runs", "damaged", "first damage",
            "damaged ranges", "result"]
    lines = [[row["kernel"] or "?", filesystem_in_words(row), str(row["block_size"]),
              _WORDS[row["fix"]], row["workload"], str(row["runs"]), str(row["damaged_runs"]),
              first_in_words(row["first_damage"]), kinds_in_words(row["kinds"]),
              result_in_words(row)] for row in rows]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    out = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
           for line in [head, *lines]]
    for row in rows:
        if row["verdict"] not in ("clean", "damage") or not row["as_expected"]:
            out += [f"{title(row)}: {reason}" for reason in row["reasons"][:3]]
    for row in rows:
        smallest = row.get("smallest")
        if smallest and smallest["schedule"]:
            out += ["", f"{title(row)}: the smallest schedule found that loses data", smallest["schedule"].rstrip()]
        if smallest:
            out += [smallest["reason"].rstrip()] if smallest["reason"] else []
    return "\n".join(out) + "\n"


def ktap(rows):
    out = ["KTAP version 1", f"1..{len(rows)}"]
    for number, row in enumerate(rows, 1):
        name = (f"{row['kernel']} {filesystem_in_words(row)} {row['block_size']} "
                f"fix {_WORDS[row['fix']]} {row['workload']}").replace("#", "")
        out.append(f"  # {row['damaged_runs']} of {row['runs']} runs with damage; "
                   f"{kinds_in_words(row['kinds'])}; {first_in_words(row['first_damage'])}")
        out += [f"  # {reason}" for reason in row["reasons"]]
        if row["verdict"] in _VERDICTS:
            out.append(f"ok {number} {name} # SKIP {_VERDICTS[row['verdict']]}")
        else:
            passed = row["verdict"] == (row["expect"] or "clean")
            out.append(f"{'ok' if passed else 'not ok'} {number} {name}")
    return "\n".join(out) + "\n"


def as_json(rows):
    return json.dumps({"format": "partialfs-kernels", "version": 2, "rows": rows},
                      indent=1) + "\n"


FORMATS = {"text": table, "json": as_json, "ktap": ktap}


def exit_code(rows):
    """0 every row as expected (a row without an expectation: a verdict was reached), 1 a row is not, 3 a row could
    not be told: it hung, oopsed or warned, nothing of it arrived, or it cannot be made."""
    if any(row["verdict"] in ("clean", "damage") and not row["as_expected"] for row in rows):
        return 1
    return 0 if all(row["as_expected"] for row in rows) else UNKNOWN
