"""Reciprocal Rank Fusion: one ranking from several, by ranks alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def ranks_of(
    scores: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return every row's 0-based rank inside its group, by score descending.

    Args:
        scores: (N,) higher is better; NaN means not scored.
        groups: (N,) the query of each row, any integers.
        order: (N,) decides between equal scores inside a group, smaller is better.

    Returns:
        (N,) ranks, NaN where the score is NaN: an unscored row is in no ranking.
    """
    by_rank = np.lexsort((order, -scores, np.isnan(scores), groups))
    sorted_groups = groups[by_rank]
    starts = np.r_[True, sorted_groups[1:] != sorted_groups[:-1]]
    positions = np.arange(len(scores))
    first = np.maximum.accumulate(np.where(starts, positions, 0)) if len(scores) else positions
    ranks = np.empty(len(scores), dtype=np.float64)
    ranks[by_rank] = positions - first
    ranks[np.isnan(scores)] = np.nan
    return ranks


def fuse_ranks(rankings: npt.NDArray[np.float64], constant: float) -> npt.NDArray[np.float64]:
    """Return sum(1 / (constant + rank + 1)) over the rankings that hold the row.

    Args:
        rankings: (R, N) 0-based ranks, NaN where a ranking lacks the row.
        constant: 60 in Cormack, Clarke and Buettcher 2009 (with ranks from 1, hence the + 1).

    Returns:
        (N,) float64, higher is better; 0 for a row in no ranking.
    """
    return np.nansum(1.0 / (constant + 1.0 + rankings), axis=0)
