"""Whether two miners gave a query the same negatives, and if not, why."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Reason = Literal["equal", "tie", "their_window", "at_bound", "unexplained"]

REASONS: tuple[Reason, ...] = ("equal", "tie", "their_window", "at_bound", "unexplained")


class Lists(NamedTuple):
    """Both miners' negatives of one query, hardest first.

    Attributes:
        theirs: Rows of documents.
        ours: Rows of documents.
        scores: (N,) float64 inner products of the query with all documents.
        bound: Highest score a negative may have; infinity if there is none.
    """

    theirs: list[int]
    ours: list[int]
    scores: npt.NDArray[np.float64]
    bound: float


def reason_of_difference(lists: Lists, error: float) -> Reason:
    """Return why two lists differ, the first of these that holds.

    `equal`: they do not. `tie`: place by place the scores are the same up to rounding.
    `their_window`: theirs is shorter and so far the same, because they look at a fixed number of
    documents and no further. `at_bound`: the same when documents within rounding of the bound are
    left out. `unexplained`: anything else.

    Args:
        lists: Of one query.
        error: How far two float32 inner products of one pair can be apart.
    """
    if lists.theirs == lists.ours:
        return "equal"
    theirs, ours = lists.scores[lists.theirs], lists.scores[lists.ours]
    if len(theirs) <= len(ours) and _same(theirs, ours[: len(theirs)], error):
        if len(theirs) == len(ours):
            return "tie"
        # What they lack at the end may as well be documents that rounding put above the bound.
        is_at_bound = bool((np.abs(ours[len(theirs) :] - lists.bound) <= error).all())
        return "at_bound" if is_at_bound else "their_window"
    clear_theirs = theirs[np.abs(theirs - lists.bound) > error]
    clear_ours = ours[np.abs(ours - lists.bound) > error]
    # Leaving a document at the bound out makes room for one more at the end, no more than that.
    room = max(len(theirs) - len(clear_theirs), len(ours) - len(clear_ours))
    shorter = min(len(clear_theirs), len(clear_ours))
    is_same = _same(clear_theirs[:shorter], clear_ours[:shorter], error)
    if is_same and 0 < room >= abs(len(clear_theirs) - len(clear_ours)):
        return "at_bound"
    return "unexplained"


def _same(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], error: float) -> bool:
    return bool((np.abs(one - other) <= error).all())
