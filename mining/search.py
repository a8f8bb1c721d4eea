"""What a search is asked for and gives back, and the one way in which pairs are scored.

Every back-end gives the same answer, bit for bit: scores are `kernels.exact_score`, the order is
score descending, then id ascending.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mining import kernels
from mining.corpus import CorpusView
from sdg.errors import ContractError

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Pairs scored at a time: 32 MiB of documents at D = 512.
_PAIR_ROWS = 16_384


class Wanted(NamedTuple):
    """What Q queries ask for.

    Attributes:
        k: Documents per query, at least 1.
        upper: (Q,) float32; only documents that score at most this. Infinity: no bound.
        lower: (Q,) float32; only documents that score at least this. -infinity: no bound.
        rank_scores: (Q,) float32; documents that score more than this are counted. Infinity: none.
    """

    k: int
    upper: Floats
    lower: Floats
    rank_scores: Floats

    @classmethod
    def nearest(cls, k: int, num_queries: int) -> Wanted:
        """Return the k nearest without any bound, counting nothing."""
        infinite = np.full(num_queries, np.inf, np.float32)
        return cls(k, infinite, -infinite, infinite)

    def part(self, places: Rows | slice) -> Wanted:
        """Return what some of the queries ask for."""
        bounds = (self.upper[places], self.lower[places], self.rank_scores[places])
        return Wanted(self.k, *bounds)


class Found(NamedTuple):
    """What was found for Q queries among all N documents.

    Attributes:
        rows: (Q, k) int64 rows of the best documents inside the bounds, by score descending, then
            id ascending; -1 is padding, at the end: there are no more.
        scores: (Q, k) float32; NaN is padding.
        above_upper: (Q,) int64 documents that score more than `upper`.
        above_rank: (Q,) int64 documents that score more than `rank_scores`.
    """

    rows: Rows
    scores: Floats
    above_upper: Rows
    above_rank: Rows

    def part(self, places: Rows | slice) -> Found:
        """Return what was found for some of the queries."""
        return Found(
            self.rows[places],
            self.scores[places],
            self.above_upper[places],
            self.above_rank[places],
        )

    @classmethod
    def nothing(cls, num_queries: int, k: int) -> Found:
        """Return padding only."""
        return cls(
            np.full((num_queries, k), -1, np.int64),
            np.full((num_queries, k), np.nan, np.float32),
            np.zeros(num_queries, np.int64),
            np.zeros(num_queries, np.int64),
        )


def pair_scores(queries: Floats, corpus: CorpusView, places: Rows, rows: Rows) -> Floats:
    """Return (P,) float32 scores of P pairs: float64 sums, rounded once.

    Args:
        queries: (Q, D) float32.
        corpus: N documents.
        places: (P,) places in `queries`.
        rows: (P,) rows of `corpus`.
    """
    queries = np.require(queries, np.float32, ["C", "W"])
    scores = np.empty(len(rows), np.float32)
    # By row, so that documents are read in the order of the file, and each once for a piece.
    order = np.argsort(rows, kind="stable")
    for start in range(0, len(rows), _PAIR_ROWS):
        part = order[start : start + _PAIR_ROWS]
        asked, numbers = np.unique(rows[part], return_inverse=True)
        documents = np.require(corpus.vectors_of(asked), np.float32, ["C", "W"])
        found = np.empty(len(part), np.float32)
        kernels.exact_pairs(queries, places[part], documents, numbers, found)
        scores[part] = found
    return scores


def check_wanted(queries: Floats, wanted: Wanted) -> None:
    """Raise unless a search can be made.

    Raises:
        ContractError: If a vector is not finite, a bound is NaN, lengths differ, or k is below 1.
    """
    lengths = {len(queries), *(len(bound) for bound in wanted[1:])}
    if len(lengths) > 1 or wanted.k < 1:
        raise ContractError(
            f"Each of {len(queries)} queries must have its bounds and k must be at least 1, but "
            f"lengths are {sorted(lengths)} and k is {wanted.k} instead."
        )
    is_bad = ~np.isfinite(queries).all(axis=1)
    for bound in wanted[1:]:
        is_bad |= np.isnan(bound)
    if is_bad.any():
        raise ContractError(
            f"Vectors of queries must be finite and bounds no NaN, but {int(is_bad.sum())} of "
            f"{len(queries)} queries break this, the first at {int(np.flatnonzero(is_bad)[0])}. "
            "Remove them, or change the encoder."
        )
