"""--minimise: for a damaged row, the smallest schedule that still loses data there, found by `mmapstress minimise`
in the same kernel; on a block device also the reason, by vmmodel."""
import json
import shutil

from .base import UNKNOWN, Failure, attempt, last_line, note
from .console import read_console
from .qemu import boot
from .rows import Run

_SECONDS = 1200  # for all its candidates together


def schedule_of(batch, setup):
    """The schedule of the setup's first damaged run, or None if it was too long for the report."""
    for number, (of, _) in enumerate(batch.runs, 1):
        for ended in batch.boots:
            run = ended.console.runs.get(number) if of == setup else None
            if run and run.programs.get("argv", {}).get("exit") == 1 and run.reports.get("argv"):
                schedule = json.loads(run.reports["argv"]).get("schedule")
                if schedule:
                    return schedule
    return None


def _argv(setup):
    device = ("--overwrite-device",) if setup.filesystem.is_device else ()
    return ("/bin/mmapstress", "minimise", "@DIR@", "@RUN@/schedule", "-o", "@RUN@/report.json", *device)


def minimise(booter, batch, setup, schedule):
    """The text of the smallest schedule; raises a Failure with the reason if there is none."""
    note(f"{setup.name}: looking for the smallest schedule")
    work = batch.work / f"minimise-{batch.setups.index(setup)}"
    work.mkdir()
    (work / "schedule").write_text(schedule, encoding="utf-8")
    alone = type(batch)([setup], work / "boot")
    guest = booter.prepare(alone)
    if alone.failures:
        raise alone.failures[setup]
    guest.add_program(booter.programs["mmapstress"])
    guest.add_run(1, Run("minimise", "minimise", (), work / "schedule", _argv(setup)),
                  booter.settings(guest, alone, setup))
    shutil.copy(booter.programs["engine"], guest.root / "mmapstress")
    guest.set("runs", 1)
    guest.set("timeout", _SECONDS)
    guest.pack(work / "initramfs")
    boot(booter.machine, booter.kernel.images[setup.fix], work / "initramfs", alone.disks(), work / "console",
         _SECONDS + 120)
    run = read_console((work / "console").read_bytes()).runs.get(1)
    if run and run.programs.get("argv", {}).get("exit") == 0 and "argv" in run.reports:
        return run.reports["argv"].decode(errors="replace")
    said = run.reports.get("output", b"").decode(errors="replace") if run else ""
    raise Failure(UNKNOWN, f"no smallest schedule: {last_line(said)}")


def explain(vmmodel, setup, path):
    """The reason, by vmmodel, why the schedule loses data on a block device; nothing elsewhere."""
    if not setup.filesystem.is_device:
        return ""
    code, said = attempt([vmmodel, "predict", "--filesystem", "blockdev", "--block-size", str(setup.block), path], 60)
    return said if code == 1 else f"vmmodel has no reason: {last_line(said)}\n"


def add_smallest(booter, batch, setup, rows):
    """Sets "smallest" of the setup's first damaged row: text and reason, or why there is none."""
    row = next((row for row in rows if row["verdict"] == "damage"), None)
    if row is None:
        return
    try:
        schedule = schedule_of(batch, setup)
        if schedule is None:
            raise Failure(UNKNOWN, "no smallest schedule: the report has none to begin with (use fewer --ops)")
        smallest = minimise(booter, batch, setup, schedule)
        path = batch.work / "smallest"
        path.write_text(smallest, encoding="utf-8")
        row["smallest"] = {"schedule": smallest, "reason": explain(booter.programs["vmmodel"], setup, path)}
    except Failure as failure:
        row["smallest"] = {"schedule": None, "reason": f"{failure}\n"}
