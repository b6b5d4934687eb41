"""The three sides of a comparison, with the same schedules: the kernel, a partialfs mount here, and vmmodel."""
import json
import shutil
import subprocess
import sys

from mounted import Mounted  # scripts/support

from .base import ROOT, UNKNOWN, Failure, attempt, last_line, note, processes
from .comparison import answers_in


class Sides:
    """The programs of the sides, and the directories of their answers."""

    def __init__(self, options, run_options, temporary):
        self.options = options
        self.run_options = run_options  # options for run.sh
        self.temporary = temporary

    @property
    def kernel_filesystem(self):
        """vmmodel's name for the kernel's filesystem. Only ext3 of its time and reiserfs flush blocks themselves."""
        way, name = self.options.way, self.options.fs
        if self.options.on_device:
            return "blockdev"
        if way == "kernel" and name in (None, "ext3"):
            return "ext3"
        return "reiserfs" if name in (None, "reiserfs") else "writeback"

    @property
    def partialfs_rule(self):
        """The contract and the flush policy that partialfs is mounted with."""
        return ("linux-6.12-blockdev", "writeback") if self.options.on_device else ("linux-2.6.19", "ext3")

    def collect(self, directory, schedules):
        """Collects all sides' answers for the schedules, (block size, path) each, for comparison.py."""
        for name in ("schedules", "partialfs"):
            (directory / name).mkdir(parents=True)
        (directory / "list").write_text("".join(f"{block} {path}\n" for block, path in schedules), encoding="utf-8")
        for block in sorted({block for block, _ in schedules}):
            paths = [path for size, path in schedules if size == block]
            note(f"{len(paths)} schedules on partialfs, block size {block}")
            self._on_partialfs(directory, block, paths)
            note(f"{len(paths)} schedules on the kernel, block size {block}")
            self._on_kernel(directory, block, paths)
        emulated = "blockdev" if self.options.on_device else "ext3"
        for file, through, filesystem in (("model", "kernel", self.kernel_filesystem), ("emulated", "kernel", emulated),
                                          ("fuse", "fuse", emulated)):
            with open(directory / f"{file}.jsonl", "w", encoding="utf-8") as answers:
                for block, path in schedules:
                    answers.write(self._predicted(directory / "schedules" / path.name, block, through, filesystem))

    def _on_partialfs(self, directory, block, paths):
        """Runs on a mount of its own; each schedule's text goes to schedules/NAME, its report to
        partialfs/NAME.json."""
        mount, under = self.temporary / "mount", self.temporary / "under"
        for place in (mount, under):
            place.mkdir(exist_ok=True)
        try:
            contract, policy = self.partialfs_rule
            mounted = Mounted(self.temporary / "partialfs.log", self.options.partialfs, under, mount, "--contract",
                              contract, "--flush-policy", policy, "--block-size", str(block), "--commit-interval", "0")
        except RuntimeError as error:
            raise Failure(UNKNOWN, str(error)) from error
        with mounted:
            for path in paths:
                text = directory / "schedules" / path.name
                _, said = attempt([self.options.mmapstress, "replay", mount, path, "--skip", "live", "--skip", "pread",
                                   "--schedule", text, "--report", directory / f"partialfs/{path.name}.json",
                                   "--format", "json"], self.options.timeout)
                if not text.exists() or not text.stat().st_size:
                    raise Failure(UNKNOWN, f"mmapstress cannot replay {path.name}: {last_line(said)}")
                for left in mount.glob("mmapstress.*"):
                    shutil.rmtree(left)
        if mounted.close() != 0:
            said = (self.temporary / "partialfs.log").read_text(errors="replace")
            raise Failure(UNKNOWN, f"partialfs ended with an error: {last_line(said)}")
        shutil.rmtree(under)

    def _on_kernel(self, directory, block, paths):
        """Runs without an answer run once more: a guest sometimes stops, each time at another place."""
        for number in (1, 2):
            rows = directory / f"kernel-{block}-{number}.json"
            self._run_rows(block, [directory / "schedules" / path.name for path in paths], rows)
            answered = answers_in(rows)
            paths = [path for path in paths if path.name not in answered]
            if not paths:
                return
            note(f"no answer from the kernel for {len(paths)} schedules" + (": once more" if number == 1 else ""))

    def _run_rows(self, block, paths, rows):
        """Runs run.sh in a process of its own."""
        said = self.temporary / "kernel.log"
        with open(said, "wb") as log, processes.started(
                [sys.executable, "-m", "harness.run", *self.run_options, "--block-size", block, "--report", rows,
                 *(word for path in paths for word in ("--schedule", path))],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log) as process:
            code = process.wait()
        if not rows.exists():
            lines = [line for line in said.read_text(errors="replace").splitlines() if line.startswith("run.sh: ")]
            raise Failure(code if code == 2 else UNKNOWN, (lines or ["run.sh: it said nothing"])[-1][len("run.sh: "):])

    def _predicted(self, path, block, through, filesystem):
        """vmmodel's prediction, a line of JSON."""
        code, said = attempt([self.options.vmmodel, "predict", "--filesystem", filesystem,
                              *([] if self.options.on_device else ["--era", "linux-2.6.19"]), "--through", through, "--format", "json", "--block-size",
                              str(block), path], 600)
        if code not in (0, 1):  # 1: stores are lost
            raise Failure(UNKNOWN, f"vmmodel cannot predict {path.name}: {last_line(said)}")
        return json.dumps(json.loads(said)) + "\n"


def default_program(name):
    return ROOT / "build/release" / name
