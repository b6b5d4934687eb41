"""Tests of scripts/python/partialfs.py, with its pytest fixture."""
import errno
import os

import pytest
from partialfs import BadRule


def test_faults_are_objects(partialfs_mount):
    mount = partialfs_mount
    assert mount.faults.rules() == []
    mount.faults.add("open EACCES path=*.db", "mkdir EDQUOT nth=2")
    (mount.path / "a.db").write_text("text")
    with pytest.raises(PermissionError):
        (mount.path / "a.db").read_text()
    rules = mount.faults.rules()
    assert [rule.text for rule in rules] == ["open EACCES path=*.db", "mkdir EDQUOT after=1 count=1"]
    assert (rules[0].number, rules[0].matched, rules[0].fired) == (1, 1, 1)
    with pytest.raises(BadRule, match="line 1: 'EWHAT' is not understood"):
        mount.faults.add("pwrite EWHAT")
    mount.faults.replace()
    assert mount.faults.rules() == []
    assert mount.faults.fired() == 1
    assert (mount.path / "a.db").read_text() == "text"


@pytest.mark.partialfs_options("--contract", "linux-2.6.20", "--after-write-error", "clean")
def test_the_ledger_has_what_a_failed_fsync_lost(partialfs_mount):
    mount = partialfs_mount
    assert mount.status()["after_write_error"] == "clean"
    with open(mount.path / "file", "wb", buffering=0) as file:
        file.write(b"text")
        mount.faults.add("pwrite EIO")
        with pytest.raises(OSError) as failure:
            os.fsync(file)
        assert failure.value.errno == errno.EIO
        mount.faults.replace()
        os.fsync(file)
        [lost] = mount.ledger.lost("file")
        assert (lost["kind"], lost["offset"], lost["length"]) == ("refused", 0, 4)
        assert mount.ledger.lost("another") == []
        mount.evict("file")
        assert (mount.path / "file").read_bytes() == (mount.source / "file").read_bytes() == bytes(4)
        os.pwrite(file.fileno(), b"text", 0)
        os.fsync(file)
    assert mount.ledger.lost() == []
    assert len(mount.ledger.entries()) == 1


@pytest.mark.partialfs_options("--power", "--contract", "linux-2.6.20", "--commit-interval", "0")
def test_a_power_cut_takes_what_was_not_synced(partialfs_mount):
    mount = partialfs_mount
    file = os.open(mount.path / "file", os.O_CREAT | os.O_WRONLY)
    os.write(file, b"synced")
    os.fsync(file)
    os.write(file, b"unsynced")
    mount.power.cut()
    with pytest.raises(OSError):
        (mount.path / "file").read_bytes()
    mount.power.on()
    with pytest.raises(OSError):
        os.close(file)  # opened before the cut: dead for good
    assert (mount.path / "file").read_bytes() == b"synced"
    assert [entry["kind"] for entry in mount.ledger.lost("file")] == ["cut", "cut"]  # the bytes and the size


@pytest.mark.partialfs_options("--power", "--contract", "linux-2.6.20")
def test_an_armed_cut_of_a_path_with_blanks(partialfs_mount):
    mount = partialfs_mount
    mount.power.cut(at="fsync:1", path="my file*", tear="none")
    another, mine = (os.open(mount.path / name, os.O_CREAT | os.O_WRONLY) for name in ("another", "my file 1"))
    os.write(another, b"text")
    os.fsync(another)
    os.write(mine, b"text")
    with pytest.raises(OSError):
        os.fsync(mine)
    assert '"armed":true' in mount.read_control("fired")
    mount.power.on()
    assert (mount.path / "another").read_bytes() == b"text"
    assert (mount.path / "my file 1").read_bytes() == b""
    for file in another, mine:
        with pytest.raises(OSError):
            os.close(file)
