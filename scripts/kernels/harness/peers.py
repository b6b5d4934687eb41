"""Other stress tools, run on the same mutants: those of them that are on PATH, copied into the guest with their
libraries."""
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    name: str
    path: Path
    words: tuple  # {seconds}: how long; @DIR@: an empty directory on the test disk

    def argv(self, seconds):
        return (f"/bin/{self.path.name}", *(word.format(seconds=seconds) for word in self.words))


# Each as its manual says that it verifies mapped stores. What does not end by itself is ended when its time is up.
_PEERS = (("fsx", ("-q", "-N", "100000000", "-S", "1", "@DIR@/file")),
          ("fsstress", ("-d", "@DIR@", "-p", "2", "-n", "100000000", "-s", "1")),
          ("stress-ng", ("--mmap", "2", "--mmap-file", "--mmap-bytes", "8m", "--verify", "--temp-path", "@DIR@",
                         "--timeout", "{seconds}s")))


def find_peers():
    return [Peer(name, Path(shutil.which(name)), words) for name, words in _PEERS if shutil.which(name)]


def peer_verdict(program):
    """What its end says: `program` is the guest's event, or None."""
    if program is None:
        return "could not tell"
    if program["timed_out"] or program["exit"] == 0:
        return "not found"
    how = f"signal {program['signal']}" if program["signal"] else f"exit code {program['exit']}"
    return f"found ({how}, {program['seconds']:.0f} s)"
