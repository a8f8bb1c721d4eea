"""Differences between two miners are explained by what is so, and never explained away."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.agreement import Lists, reason_of_difference

ERROR = 1e-6
#        0    1    2    3         4    5
SCORES = np.array([0.9, 0.8, 0.7, 0.7 + 1e-7, 0.6, 0.5])


@pytest.mark.parametrize(
    ("theirs", "ours", "bound", "reason"),
    [
        ([1, 2, 4], [1, 2, 4], 0.85, "equal"),
        ([1, 2, 4], [1, 3, 4], 0.85, "tie"),
        ([1, 3, 2], [1, 2, 3], 0.85, "tie"),
        ([1, 2], [1, 2, 4], 0.85, "their_window"),
        ([], [4, 5], 0.85, "their_window"),
        ([1, 2, 4], [2, 4, 5], 0.8 + 1e-7, "at_bound"),
        ([2, 4, 5], [1, 2, 4], 0.8 - 1e-7, "at_bound"),
        ([1, 2, 4], [2, 4, 5], 0.85, "unexplained"),
        ([1, 2, 4], [1, 2], 0.85, "unexplained"),
        ([1, 2, 4], [1, 4, 5], 0.85, "unexplained"),
        ([1, 4], [1, 2, 4], 0.85, "unexplained"),
        ([1, 2, 5], [2, 4, 5], 0.8 + 1e-7, "unexplained"),
    ],
)
def test_the_reason_is_what_holds(
    theirs: list[int], ours: list[int], bound: float, reason: str
) -> None:
    assert reason_of_difference(Lists(theirs, ours, SCORES, bound), ERROR) == reason
