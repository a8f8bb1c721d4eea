"""A contender is measured alone: its work, not its start-up, nor the process that asked."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pytest

from benchmarks.measure import Work, measure

_HERE = "tests.benchmarks.test_measure"
_MIB = 2**20


def busy(start_up: float, seconds: float) -> Work:
    """Return a contender that keeps a core busy, before and during its work."""
    _burn(start_up)

    def work() -> dict[str, Any]:
        _burn(seconds)
        return {"threads": os.environ["OMP_NUM_THREADS"], "own": os.environ.get("OWN", "")}

    return work


def hungry(before: int, during: int) -> Work:
    """Return a contender that holds memory, before and during its work, and frees the latter."""
    held = np.ones(before * _MIB // 8)

    def work() -> dict[str, Any]:
        return {"sum": float(np.ones(during * _MIB // 8).sum() + held[0])}

    return work


def broken() -> Work:
    """Return a contender that fails."""
    raise ValueError("the reason")


def _burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_cpu_time_of_the_work_is_told_apart_from_the_start_up() -> None:
    one = measure(
        f"{_HERE}:busy",
        {"start_up": 0.4, "seconds": 0.2},
        threads=3,
        environment={"OWN": "yes"},
    )
    assert 0.2 <= one.cpu_seconds < 0.35
    assert one.wall_seconds >= 0.2
    assert one.startup_cpu_seconds > 0.4
    assert one.value == {"threads": "3", "own": "yes"}


def test_memory_is_the_peak_of_the_work_above_what_was_held_before() -> None:
    one = measure(f"{_HERE}:hungry", {"before": 64, "during": 128})
    assert one.base_mib > 64
    assert one.peak_mib == pytest.approx(128, abs=16)


def test_a_contender_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="ValueError: the reason"):
        measure(f"{_HERE}:broken", {})
