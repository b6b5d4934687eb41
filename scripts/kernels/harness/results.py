"""Turns one boot's serial console into one row of the result table.

The description of a row has what was booted (kernel, way, filesystem, block_size, fix, contract,
workload, smp, expect) and "runs", a list of labels, one for each run that was asked for. The row is
that, and what came of it. A run counts as clean or damaged only if its program ended with that exit code and its report
arrived whole and says the same, before and after the remount; all else is "unknown".
"""
import collections
import json
import signal

from .qemu import TIME_IS_UP

_VERDICTS = {"clean": "clean", "damaged": "damage"}
_ON_DISK = {"evicted", "direct", "disk"}  # the stages that look past the page cache
_EXITS = {0: "clean", 1: "damage"}


class Unknown(Exception):
    """Why a run could not be told clean or damaged."""


def end_in_words(program):
    if program["timed_out"]:
        return f"did not end within {program['seconds']:.0f} s"
    if program["signal"]:
        return f"was killed by signal {program['signal']}"
    return f"ended with exit code {program['exit']}"


def read_report(run, kind):
    """The verdict and the report of one program of a run; raises Unknown."""
    what = "the run" if kind == "argv" else "the comparison after the remount"
    program = run.programs.get(kind)
    if program is None:
        raise Unknown(f"{what} did not come to its end")
    output = run.reports.get("output", b"").decode(errors="replace").strip().splitlines()
    last_words = f": {output[-1]}" if output else ""
    if kind not in run.reports:
        raise Unknown(f"{what} {end_in_words(program)} without a report{last_words}")
    try:
        report = json.loads(run.reports[kind])
    except ValueError:
        raise Unknown(f"{what}: its report is not JSON") from None
    verdict = _EXITS.get(program["exit"])
    if verdict is None:
        problems = [problem["message"] for problem in report.get("problems", [])]
        raise Unknown(f"{what} {end_in_words(program)}"
                      + (f": {problems[0]}" if problems else last_words))
    if _VERDICTS.get(report.get("verdict")) != verdict:
        raise Unknown(f"{what}: exit code {program['exit']}, but its report says "
                      f"{report.get('verdict')!r}")
    return verdict, report


def ranges_of(report):
    """The damaged bytes found after eviction as [file, offset, length], adjacent ranges joined."""
    return joined([damage["file"], damage["offset"], damage["length"]]
                  for damage in report.get("damage", [])
                  if _ON_DISK & set(damage.get("stages", ["evicted"])))


def joined(ranges):
    """Ranges [name, offset, length] in order, overlapping and adjacent ones joined."""
    out = []
    for name, offset, length in sorted(ranges):
        if out and out[-1][0] == name and out[-1][1] + out[-1][2] >= offset:
            out[-1][2] = max(out[-1][2], offset + length - out[-1][1])
        else:
            out.append([name, offset, length])
    return out


def lost_by_ledger(ledger):
    """What partialfs says is lost and not healed since, by path below its mount."""
    return joined([entry["path"], entry["offset"], entry["length"]]
                  for entry in ledger if entry["healed_at"] is None)


def wrong_by_report(run):
    """What mmapstress found wrong after eviction, by path below the mount /under."""
    try:
        damage = json.loads(run.reports.get("argv", b"{}")).get("damage", [])
    except ValueError:
        return None
    return joined([entry["path"].removeprefix("/under/"), entry["offset"], entry["length"]]
                  for entry in damage if _ON_DISK & set(entry.get("stages", ["evicted"])))


def one_run(label, run):
    result = {"run": label, "verdict": "unknown"}
    if run is None:
        result["reason"] = "the guest did not get to it"
        return result
    program = run.programs.get("argv")
    if program:
        result["seconds"] = program["seconds"]
        result["sectors_written"] = program["sectors_written"]
    if "status" in run.reports:
        result["partialfs_status"] = json.loads(run.reports["status"])
        result["ledger"] = [json.loads(line) for line in run.reports["ledger"].splitlines()]
        result["ledger_equal"] = lost_by_ledger(result["ledger"]) == wrong_by_report(run)
    try:
        if run.failures:
            raise Unknown(run.failures[0])
        verdict, report = read_report(run, "argv")
        after, report_after = read_report(run, "verify")
        if verdict == "damage" and after == "clean":
            raise Unknown("damage was found, and was gone after a remount")
        if after == "damage" and verdict == "clean":
            verdict, report = after, report_after
        if not run.complete:
            raise Unknown("the run did not come to its end")
        result.update(verdict=verdict, damage=report.get("damage", []),
                      damaged=ranges_of(report), operations=report.get("operations", {}))
        if report.get("damage_not_kept"):
            result["damage_not_kept"] = report["damage_not_kept"]
        if report.get("judgement"):
            result["judgement"] = report["judgement"]
    except Unknown as why:
        result["reason"] = str(why)
    return result


def end_of_qemu(status, said):
    """How QEMU ended before the guest did, with the last of what it said itself."""
    if status < 0:
        how = f"QEMU was killed by {signal.Signals(-status).name}"
    else:
        how = f"QEMU ended with status {status}"
    lines = [line for line in said.splitlines() if line.strip()]
    return f"{how}: {lines[-1].strip()}" if lines else how


def reasons_for_boot(console, status, said=""):
    """What kept the whole boot from ending as it should, if anything; `said` by QEMU itself."""
    reasons = []
    if console.panic:
        reasons.append(console.panic)
    reasons += console.failures
    daemon = console.runs.get(0)
    if daemon and daemon.reports.get("partialfs", b"").strip():
        said = daemon.reports["partialfs"].decode(errors="replace").strip().splitlines()
        reasons.append(f"partialfs said: {said[-1]}")
    if status == TIME_IS_UP:
        reasons.append("QEMU was ended: its time was up")
    elif status != 0:
        reasons.append(end_of_qemu(status, said))
    if console.release is None and not reasons:
        reasons.append("the kernel never started /init" +
                       (f"; last on its console: {console.last_line}" if console.last_line else
                        "; nothing came on its console (is it a 64-bit kernel with an 8250 console?)"))
    elif not console.ended and not reasons:
        reasons.append("the guest ended early")
    return reasons


def row_of(description, console, status, said=""):
    results = [one_run(label, console.runs.get(number))
               for number, label in enumerate(description["runs"], 1)]
    count = collections.Counter(result["verdict"] for result in results)
    reasons = reasons_for_boot(console, status, said)
    if count["damage"]:
        verdict = "damage"
    elif count["clean"] == len(results) > 0 and not reasons:
        verdict = "clean"
    else:
        verdict = "unknown"
        reasons += [f"run {r['run']}: {r['reason']}" for r in results if "reason" in r]
    kinds = collections.Counter()
    first = None
    for result in results:
        for damage in result.get("damage", []):
            kinds[damage["kind"]] += 1
            if first is None:
                first = {"run": result["run"], **{key: damage[key] for key in (
                    "file", "offset", "length", "page", "in_page", "kind", "lost")
                    if key in damage}}
    probe = {}
    for run in console.runs.values():
        for program in run.programs.values():
            for name in ("asked", "answered_dirty", "answers_lost", "missed"):
                if name in program:
                    probe[name] = max(probe.get(name, 0), program[name])
    expected = description.get("expect")
    return {**description,
            "kernel": console.release or description.get("kernel"),
            "runs": len(results), "damaged_runs": count["damage"], "clean_runs": count["clean"],
            "unknown_runs": count["unknown"], "verdict": verdict,
            "as_expected": verdict != "unknown" and expected in (None, verdict),
            "first_damage": first, "kinds": dict(kinds), "probe": probe or None,
            "reasons": reasons, "results": results}

