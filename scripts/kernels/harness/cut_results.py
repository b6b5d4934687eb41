"""Results of power cuts: one comparison, a row of many, and the table."""
import json
from pathlib import Path

from .base import UNKNOWN, last_line


def judge(code, raw, said):
    """The result of `mmapstress verify` for a run that was cut short, from its exit code, its report's bytes, its
    messages."""
    try:
        report = json.loads(raw)
    except ValueError:
        return {"verdict": "unknown", "reason": last_line(said)}
    cut_short = report.get("cut_short") or {}
    if code == 3 and cut_short and not cut_short["synced_bytes"]:
        return {"verdict": "nothing synced"}
    if code not in (0, 1):
        problems = [problem["message"] for problem in report.get("problems", [])]
        return {"verdict": "unknown", "reason": (problems or [last_line(said)])[0]}
    synced = cut_short.get("synced_bytes") or sum(file["size"] for file in report["files"])
    if code == 0:
        return {"verdict": "clean", "synced_bytes": synced}
    return {"verdict": "alarm", "synced_bytes": synced, "ranges": len(report["damage"]), "done": cut_short.get("done"),
            "damage": report["damage"][:3], "operations": report.get("named_operations", []),
            "known": [fault["name"] for fault in report["known_faults"]] if report["damage_is_known"] else []}


def empty_row(name, control):
    return {"row": name, "control": control, "kernel": None, "records": 0, "writes": 0, "cuts": 0, "checked": 0,
            "synced_bytes": 0, "nothing_synced": 0, "alarms": [], "untold": [], "failure": None}


def empty_part(kernel, writes, cuts):
    """The part of a row for one record, with nothing compared yet."""
    return {"kernel": kernel, "writes": writes, "cuts": cuts, "checked": 0, "synced_bytes": 0, "nothing_synced": 0,
            "alarms": [], "untold": []}


def count(part, told, cut, **of_record):
    """Adds one comparison to its record's part; `cut` describes the moment."""
    if told["verdict"] == "alarm":
        part["alarms"].append({"cut": cut, **of_record, **told})
    elif told["verdict"] == "unknown":
        part["untold"].append({"cut": cut, "reason": told["reason"]})
    part["checked"] += told["verdict"] in ("clean", "alarm")
    part["nothing_synced"] += told["verdict"] == "nothing synced"
    part["synced_bytes"] += told.get("synced_bytes", 0)


def add(result, part):
    result["kernel"] = part["kernel"]
    result["records"] += 1
    for name in ("writes", "cuts", "checked", "synced_bytes", "nothing_synced"):
        result[name] += part[name]
    for name in ("alarms", "untold"):
        result[name] += part[name]


def _alarm_in_words(alarm):
    damage = alarm["damage"][0]
    lost = f"operation {damage['lost']}" if damage["lost"] else "the file's start"
    return (f"{alarm['workload']}, seed {alarm['seed']}, cut {alarm['cut']}: file {damage['file']} at {damage['offset']}, "
            f"{damage['length']} bytes {damage['kind']} ({alarm['ranges']} ranges); lost: {lost}, "
            f"synced by then; all up to operation {alarm['done']} was done"
            + (f"; known: {', '.join(alarm['known'])}" if alarm["known"] else ""))


def table(results):
    head = ["filesystem", "kernel", "records", "writes", "cuts", "compared", "bytes synced", "alarms", "could not tell", "result"]
    lines = [[result["row"], result["kernel"] or "?", str(result["records"]), str(result["writes"] or "-"), str(result["cuts"]),
              str(result["checked"]), str(result["synced_bytes"]), str(len(result["alarms"])), str(len(result["untold"])),
              verdict(result) + (" (control)" if result["control"] else "")] for result in results]
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    out = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [head, *lines]]
    for result in results:
        out += [f"{result['row']}: {result['failure']}"] if result["failure"] else []
        out += [f"{result['row']}: {_alarm_in_words(alarm)}" for alarm in result["alarms"][:3]]
        out += [f"{result['row']}: could not tell, cut {one['cut']}: {one['reason']}" for one in result["untold"][:3]]
    return "\n".join(out) + "\n"


def verdict(result):
    """Faults of the kernel that are known on any disk do not make a control caught."""
    if not all(alarm["known"] for alarm in result["alarms"]):
        return "caught" if result["control"] else "lost"
    if result["alarms"] and not result["control"]:
        return "lost, known: " + ", ".join(sorted({name for alarm in result["alarms"] for name in alarm["known"]}))
    if result["failure"] or not result["checked"] or len(result["untold"]) * 2 > result["cuts"]:
        return "could not tell"
    return "not caught" if result["control"] else "clean"


def exit_code(results):
    """0 nothing lost, and every control caught; 1 otherwise; 3 a row could not be told."""
    found = {verdict(result).partition(",")[0] for result in results}
    if found & {"lost", "not caught"}:
        return 1
    return UNKNOWN if "could not tell" in found else 0


def as_json(results):
    return json.dumps({"format": "partialfs-kernel-power-cuts", "version": 1, "rows": results}, indent=1) + "\n"


def deliver(options, results):
    if options.json:
        Path(options.json).write_text(as_json(results), encoding="utf-8")
    if results:
        print(as_json(results) if options.format == "json" else table(results), end="")
    return exit_code(results)
