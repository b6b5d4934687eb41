"""A partialfs mount as objects, for tests of your own program: a context manager, and a pytest fixture.

    from partialfs import Mount

    with Mount("/tmp/somewhere", "--contract", "linux-2.6.20") as mount:
        mount.faults.add("fdatasync EIO path=db/* count=1")
        run_my_program(mount.path)
        assert mount.ledger.lost() == []

With pytest, `pytest_plugins = ["partialfs"]` in conftest.py gives the fixture `partialfs_mount`, a fresh mount for each
test; @pytest.mark.partialfs_options("--commit-interval", "10ms") adds options. The program is `partialfs` in PATH, or
what the environment variable PARTIALFS names. A mount ends with its process, however that ends.
"""
import collections
import json
import os
import pathlib
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mounted import Mounted  # noqa: E402  pylint: disable=wrong-import-position


Rule = collections.namedtuple("Rule", "text number matched fired")


class BadRule(ValueError):
    """partialfs' error message about an invalid fault rule."""


class Faults:
    """The fault rules of a mount; partialfs(8) documents their language."""

    def __init__(self, mount):
        self._mount = mount

    def add(self, *lines):
        """Adds rules to those in force. BadRule if one is invalid; nothing is changed then."""
        try:
            self._mount.write_control("faults", "\n".join(lines))
        except OSError as error:
            refused = self._mount.status()["faults"]["refused"]
            raise BadRule(refused) if refused else error from None

    def replace(self, *lines):
        """Replaces all rules in force; also ends all delays."""
        self.add("clear", *lines)

    def rules(self):
        """The rules in force, and how often each has matched and fired."""
        lines = re.findall(r"(.*)  # rule (\d+): matched (\d+), fired (\d+)\n", self._mount.read_control("faults"))
        return [Rule(text, *map(int, counts)) for text, *counts in lines]

    def fired(self):
        """How often rules have fired since the mount, removed rules included."""
        return self._mount.status()["faults"]["fired"]


class Ledger:
    """The lost bytes of a mount."""

    def __init__(self, mount):
        self._mount = mount

    def entries(self):
        """Every entry, as a dictionary with the member names of partialfs(8)."""
        return [json.loads(line) for line in self._mount.read_control("ledger").splitlines()]

    def lost(self, path=None):
        """The entries that are not healed, of one file or of all."""
        return [entry for entry in self.entries()
                if entry.get("healed_at") is None and path in (None, entry.get("path"))]


class Power:
    """The power of a mount made with --power."""

    def __init__(self, mount):
        self._mount = mount

    def cut(self, command="cut", **how):
        """Cuts the power, now or at a moment: cut(tear=512, seed=7), cut(at="commit:3")."""
        self._mount.write_control("power", " ".join([command, *(f'{key}="{value}"' for key, value in how.items())]))

    def cut_and_on(self, **how):
        """Cuts the power, and turns it on again once it is off."""
        self.cut("cut-and-on", **how)

    def on(self):
        """Turns the power on again, with what is on disk."""
        self.cut("on")


class Mount:
    """`directory`/disk mounted at `directory`/mount; both are made if they do not exist."""

    def __init__(self, directory, *options, program=None):
        directory = pathlib.Path(directory).absolute()
        self.source, self.path = directory / "disk", directory / "mount"
        self.source.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(exist_ok=True)
        self._mounted = Mounted(directory / "partialfs.log", program or os.environ.get("PARTIALFS", "partialfs"),
                                self.source, self.path, *options)
        self.faults, self.ledger, self.power = Faults(self), Ledger(self), Power(self)

    def read_control(self, name):
        """The contents of a file of .partialfs."""
        return (self.path / ".partialfs" / name).read_text()

    def write_control(self, name, text):
        """Writes to a control file in one write, as it requires; raises OSError with the reason."""
        with open(self.path / ".partialfs" / name, "wb", buffering=0) as control:
            control.write(text.encode())

    def status(self):
        """Counters and settings, as a dictionary."""
        return json.loads(self.read_control("status"))

    def evict(self, path):
        """Evicts a file's pages from memory: the next read reads the disk."""
        self.write_control("evict", str(path))

    def close(self):
        """Unmounts. RuntimeError if the last commit failed."""
        mounted, self._mounted = self._mounted, None
        if mounted and (code := mounted.close()):
            raise RuntimeError(f"partialfs ended with exit code {code}; see {self.path.parent / 'partialfs.log'}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


try:
    import pytest
except ImportError:
    pass
else:
    @pytest.fixture
    def partialfs_mount(request, tmp_path):
        """A fresh Mount for a test."""
        markers = request.node.iter_markers("partialfs_options")
        with Mount(tmp_path, *(option for marker in markers for option in marker.args)) as mount:
            yield mount

    def pytest_configure(config):  # pylint: disable=missing-function-docstring
        config.addinivalue_line("markers", "partialfs_options(*options): more options for the test's mount")
