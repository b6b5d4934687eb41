"""One row of the result table: a description of what was booted (kernel, way, filesystem, block_size, fix, contract,
workload, smp, expect), and the results of its runs. A row may have taken several boots, and a boot may have the runs
of several rows."""
import collections
import signal
from dataclasses import dataclass

from .console import TROUBLES, Console
from .qemu import OOPSED, TIME_IS_UP
from .results import one_run

# The verdicts of rows and runs, worst first: a row is as bad as its worst run.
VERDICTS = ("damage", *TROUBLES, "unknown", "clean")


@dataclass
class Boot:
    console: Console
    status: int  # QEMU's
    said: str = ""  # by QEMU itself

    @property
    def last_run(self):
        """The number of the last run that had begun, or 0."""
        return max(self.console.runs, default=0)

    @property
    def kernel_trouble(self):
        """(kind, message) of problems that belong to no run."""
        trouble = list(self.console.trouble)
        if self.status == TIME_IS_UP and self.console.release is not None:
            trouble.append(("hang", "QEMU was ended: its time was up"))
        if self.status == OOPSED:
            trouble.append(("oops", f"{self.console.oopsed[1]}; the kernel went on, and was ended"))
        return trouble

    def reasons(self):
        """Why the boot did not end as it should, if so."""
        console = self.console
        reasons = [words for _, words in self.kernel_trouble] + console.failures
        if self.status == TIME_IS_UP and console.release is None:
            reasons.append("QEMU was ended: its time was up")
        elif self.status not in (0, TIME_IS_UP, OOPSED):
            reasons.append(self._end_of_qemu())
        if console.release is None and not reasons:
            reasons.append("the kernel never started /init" + (
                f"; last on its console: {console.last_line}" if console.last_line else
                "; nothing came on its console (is it a 64-bit kernel with an 8250 console?)"))
        elif not console.ended and not reasons:
            reasons.append("the guest ended early")
        return reasons

    def _end_of_qemu(self):
        how = (f"QEMU was killed by {signal.Signals(-self.status).name}" if self.status < 0 else
               f"QEMU ended with status {self.status}")
        return f"{how}: {_last_line(self.said)}" if self.said.strip() else how


def _last_line(text):
    return [line for line in text.splitlines() if line.strip()][-1].strip()


def _first_damage(results):
    for result in results:
        for damage in result.get("damage", []):
            return {"run": result["run"], **{key: damage[key] for key in (
                "file", "offset", "length", "page", "in_page", "kind", "lost") if key in damage}}
    return None


def _probe(runs):
    """The counters of the module that watches page_mkclean."""
    probe = {}
    for run in runs:
        for program in run.programs.values():
            for name in ("asked", "answered_dirty", "answers_lost", "missed"):
                if name in program:
                    probe[name] = max(probe.get(name, 0), program[name])
    return probe or None


def row_of(description, labels, boots):
    """Makes the row; `labels`: of its runs, by their number in the guest."""
    runs = {number: run for boot in boots for number, run in boot.console.runs.items()}
    results = [one_run(label, runs.get(number)) for number, label in labels.items()]
    # A failed boot counts for the row whose run was under way last, or for all rows.
    concerned = [boot for boot in boots if boot.last_run == 0 or boot.last_run in labels]
    reasons = [reason for boot in concerned for reason in boot.reasons()]
    found = {result["verdict"] for result in results}
    found |= {kind for boot in concerned for kind, _ in boot.kernel_trouble}
    if reasons or not results:
        found.add("unknown")
    verdict = next(verdict for verdict in VERDICTS if verdict in found)
    if verdict != "clean":
        reasons += [f"run {result['run']}: {result['reason']}" for result in results if "reason" in result]
        reasons += [f"run {result['run']}: {words}" for result in results if result["verdict"] == "damage"
                    for _, words in result.get("trouble", [])]
    count = collections.Counter(result["verdict"] for result in results)
    kinds = collections.Counter(damage["kind"] for result in results for damage in result.get("damage", []))
    expected = description.get("expect")
    return {**description,
            "kernel": next((boot.console.release for boot in boots if boot.console.release), description.get("kernel")),
            "runs": len(results), "damaged_runs": count["damage"], "clean_runs": count["clean"],
            "unknown_runs": len(results) - count["damage"] - count["clean"], "verdict": verdict,
            "as_expected": verdict == expected or (expected is None and verdict in ("damage", "clean")),
            "first_damage": _first_damage(results), "kinds": dict(kinds),
            "probe": _probe([runs[number] for number in labels if number in runs]),
            "reasons": reasons, "results": results}


def row_without_boot(description, verdict, reason, accepted):
    """A row that was not booted: "absent" if it cannot be made here, "unknown" if something failed. `accepted`: the
    user did not ask for this row in particular."""
    return {**description, "runs": 0, "damaged_runs": 0, "clean_runs": 0, "unknown_runs": 0, "verdict": verdict,
            "as_expected": accepted and verdict == "absent", "first_damage": None, "kinds": {},
            "probe": None, "reasons": [reason], "results": []}
