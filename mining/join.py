"""The candidates of the search and of other miners as one list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mining import kernels
from mining.corpus import CorpusView
from mining.proposals import Proposals
from mining.search import Floats, Rows, pair_scores


class Candidates(NamedTuple):
    """Candidates of Q queries, K each, by score, then id.

    Attributes:
        rows: (Q, K) rows of the corpus; -1 is padding.
        scores: (Q, K) float32; NaN is padding.
        ranks: (Q, K) by whoever proposed it; -1 is padding.
        miners: (Q, K) int16: 0 is the search, i the i-th list of proposals, from 1.
        others: (Q, K) int16: the first list of proposals that has a document of the search, too; 0
            if none has.
        other_ranks: (Q, K) by that miner.
    """

    rows: Rows
    scores: Floats
    ranks: Rows
    miners: npt.NDArray[np.int16]
    others: npt.NDArray[np.int16]
    other_ranks: Rows

    @classmethod
    def searched(cls, rows: Rows, scores: Floats, above_upper: Rows) -> Candidates:
        """Return what a search found.

        Args:
            rows: (Q, K), padding at the end.
            scores: (Q, K).
            above_upper: (Q,) documents above the bound; they come before the first.
        """
        ranks = above_upper[:, None] + np.arange(rows.shape[1])
        nobody = np.zeros(rows.shape, np.int16)
        none = np.full(rows.shape, -1, np.int64)
        return cls(rows, scores, np.where(rows < 0, -1, ranks), nobody, nobody.copy(), none)


def join_proposals(
    searched: Candidates,
    proposals: Sequence[Proposals],
    places: Rows,
    vectors: Floats,
    corpus: CorpusView,
    upper: Floats,
) -> tuple[Candidates, Rows]:
    """Add what other miners propose, scored by the encoder of the corpus.

    A document that several find belongs to the first of them, the search before all; but if rules
    do not hold for the candidates of a miner, to that miner. What scores above the bound stays out:
    the search has counted it already.

    Args:
        searched: Of Q queries.
        proposals: Of the other miners.
        places: (Q,) place of each query in the proposals.
        vectors: (Q, D) float32.
        corpus: What rows refer to.
        upper: (Q,) highest score that may stay.

    Returns:
        All candidates; and (Q,) how many of them score above the bound, because it does not hold
        for who proposed them.
    """
    lists = [Candidates(searched.rows.copy(), *searched[1:])]
    uncounted = np.zeros(len(places), np.int64)
    for number, proposed in enumerate(proposals, start=1):
        rows = proposed.rows[places]
        ranks = np.where(rows < 0, -1, np.arange(rows.shape[1]))
        if not proposed.exempt:
            _claim(lists[0], rows, number)
            for earlier in lists:
                rows[kernels.places_among(rows, earlier.rows) >= 0] = -1
        scores = _scores(rows, vectors, corpus)
        is_above = scores > upper[:, None]
        if proposed.exempt:
            for earlier in lists:
                earlier.rows[kernels.places_among(earlier.rows, rows) >= 0] = -1
            uncounted += is_above.sum(axis=1)
        else:
            rows[is_above] = -1
        own = np.full(rows.shape, number, np.int16)
        lists.append(Candidates(rows, scores, ranks, own, np.zeros_like(own), ranks))
    return _by_score(Candidates(*map(np.hstack, zip(*lists, strict=True))), corpus), uncounted


def _claim(searched: Candidates, rows: Rows, number: int) -> None:
    """Note which documents of the search this miner proposes, too, unless another one did."""
    places = kernels.places_among(searched.rows, rows)
    new = (places >= 0) & (searched.others == 0)
    searched.others[new] = number
    searched.other_ranks[new] = places[new]


def _scores(rows: Rows, vectors: Floats, corpus: CorpusView) -> Floats:
    scores = np.full(rows.shape, np.nan, np.float32)
    places, numbers = np.nonzero(rows >= 0)
    scores[places, numbers] = pair_scores(vectors, corpus, places, rows[places, numbers])
    return scores


def _by_score(candidates: Candidates, corpus: CorpusView) -> Candidates:
    rows = candidates.rows
    scores = np.where(rows < 0, np.nan, candidates.scores).astype(np.float32)
    order = np.lexsort((corpus.id_order[rows], -scores, rows < 0), axis=1)
    return Candidates(
        np.take_along_axis(rows, order, axis=1),
        np.take_along_axis(scores, order, axis=1),
        np.take_along_axis(np.where(rows < 0, -1, candidates.ranks), order, axis=1),
        np.take_along_axis(candidates.miners, order, axis=1),
        np.take_along_axis(candidates.others, order, axis=1),
        np.take_along_axis(candidates.other_ranks, order, axis=1),
    )
