"""Tests of scripts/python/append_log.py: it finds what it is made to find, and nothing else."""
import pytest
from append_log import run


@pytest.mark.parametrize("client, after, loses", [
    ("rewrite", "keep", False), ("rewrite", "clean", False), ("rewrite", "forget", True),
    ("retry", "keep", False), ("retry", "clean", True)])
def test_what_is_lost(tmp_path, client, after, loses):
    for seed in range(1, 31 if loses else 6):  # the nemesis strikes where it will: not every seed must lose
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
