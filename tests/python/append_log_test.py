"""Tests of scripts/python/append_log.py: it finds the losses that it is made to find, and no others."""
import pytest
from append_log import run


@pytest.mark.parametrize("client, after, loses", [
    ("rewrite", "keep", False), ("rewrite", "clean", False), ("rewrite", "forget", True),
    ("retry", "keep", False), ("retry", "clean", True)])
def test_what_is_lost(tmp_path, client, after, loses):
    for seed in range(1, 31 if loses else 6):  # the nemesis acts at random: not every seed loses something
        acknowledged, lost = run(tmp_path / str(seed), seed, 300, client, ["--after-write-error", after])
        assert acknowledged
        if lost:
            break
    assert bool(lost) == loses


@pytest.mark.parametrize("client, loses", [("rewrite", False), ("trust", True)])
def test_what_power_cuts_take(tmp_path, client, loses):
    for seed in range(1, 31 if loses else 4):
        acknowledged, lost = run(tmp_path / str(seed), seed, 300, client, ["--power"])
        assert acknowledged
        if lost:
            break
    assert bool(lost) == loses
