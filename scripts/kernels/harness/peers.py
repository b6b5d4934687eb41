"""Other stress tools, run on the same mutants: those of them that are on PATH, copied into the guest with their
libraries."""
import shutil
from dataclasses import dataclass
from pathlib import Path

from .guest import stamp_of


@dataclass(frozen=True)
class Peer:
    name: str
    path: Path
    words: tuple  # {seconds}: how long; @DIR@: an empty directory on the test disk

    @property
    def stamp(self):
        return stamp_of(self.path)

    def limit(self, seconds):
        """Its time limit: longer for a program that ends by itself."""
        return seconds + (30 if any("{seconds}" in word for word in self.words) else 0)

    def argv(self, seconds):
        return (f"/bin/{self.path.name}", *(word.format(seconds=seconds) for word in self.words))


# Each with the options that, by its manual, verify mapped stores. A program that does not end by itself is killed when
# its time is up; fsstress is last, as its children live on.
_PEERS = (("fsx", ("-q", "-N", "100000000", "-S", "1", "@DIR@/file")),
          ("stress-ng", ("--mmap", "2", "--mmap-file", "--mmap-bytes", "8m", "--verify", "--temp-path", "@DIR@",
                         "--timeout", "{seconds}s")),
          ("fsstress", ("-d", "@DIR@", "-p", "2", "-n", "100000000", "-s", "1")))


def find_peers():
    return [Peer(name, Path(shutil.which(name)), words) for name, words in _PEERS if shutil.which(name)]


def peer_verdict(run):
    """Its result; `run` is its part of the guest's console, or None. `words` are shown in the table."""
    program = run.programs.get("argv") if run else None
    if program and not program["timed_out"] and program["exit"] != 0:
        how = f"signal {program['signal']}" if program["signal"] else f"exit code {program['exit']}"
        said = run.reports.get("output", b"").decode(errors="replace")
        return {"verdict": "found", "words": f"found ({how}, {program['seconds']:.0f} s)", "said": said[-2000:]}
    if run and run.trouble:  # noticed by the kernel, not by the tool
        return {"verdict": run.trouble[0][0], "words": run.trouble[0][0], "said": run.trouble[0][1]}
    word = "not found" if program else "could not tell"
    return {"verdict": word, "words": word, "said": ""}
