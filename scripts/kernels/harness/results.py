"""Turns the serial console of one boot into the results of its runs.

A run counts as clean or damaged only if its program ended with that exit code, its report arrived complete and
agrees, before and after the remount, and the kernel reported no problem. A run that hangs, oopses or warns is a kind
of its own; everything else is "unknown".
"""
import json

from .console import TROUBLES

_VERDICTS = {"clean": "clean", "damaged": "damage"}
_ON_DISK = {"evicted", "direct", "disk"}  # the stages that read past the page cache
_EXITS = {0: "clean", 1: "damage"}


class Unknown(Exception):
    """Why a run is neither clean nor damaged; `known`: what can be reported anyway."""

    def __init__(self, why, **known):
        super().__init__(why)
        self.known = known


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
    """What partialfs reports as lost and not healed, by path below its mount."""
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
        result.update(_told(run))
    except Unknown as why:
        result["reason"] = str(why)
        result.update(why.known)
        if any(program["timed_out"] for program in run.programs.values()):
            result["verdict"] = "hang"
    if run.trouble:
        result["trouble"] = run.trouble
        if result["verdict"] != "damage":
            result["verdict"] = next(kind for kind in TROUBLES if kind in dict(run.trouble))
            result["reason"] = dict(run.trouble)[result["verdict"]]
    return result


def _only_meanwhile(report):
    """Whether all damage was found by reads during the run, and none at its end: what was lost has been overwritten
    since."""
    return all(set(damage.get("stages", [])) == {"during"} for damage in report.get("damage", []))


def _told(run):
    """The result of a whole run; raises Unknown."""
    if run.failures:
        said = run.reports.get("daemon", b"").decode(errors="replace").strip().splitlines()
        raise Unknown(run.failures[0] + (f"; the daemon said: {said[-1]}" if said else ""))
    verdict, report = read_report(run, "argv")
    try:
        after, report_after = read_report(run, "verify")
    except Unknown as why:
        raise Unknown(str(why), ran=verdict) from None
    if verdict == "damage" and after == "clean" and not _only_meanwhile(report):
        raise Unknown("damage was found, and was gone after a remount", gone=report.get("damage", [])[:1],
                      workload=report.get("workload"))
    if after == "damage" and verdict == "clean":
        verdict, report = after, report_after
    if not run.complete:
        raise Unknown("the run did not come to its end")
    return {"verdict": verdict, "damage": report.get("damage", []), "damaged": ranges_of(report),
            "operations": report.get("operations", {}), "workload": report.get("workload"), "seed": report.get("seed"),
            **{name: report[name] for name in ("damage_not_kept", "judgement") if report.get(name)}}
