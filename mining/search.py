"""Exact top k over a corpus in blocks, with one order of results for every back-end.

A back-end only proposes rows, `_GUARD` more than asked for. Each proposed pair is scored again, in
one way, and sorted by (score descending, id ascending). If a row that was not proposed could
still belong to the result, because its score is within rounding of the last place (many equal
documents do that), the query is searched again by its lowest score, and then every such row is
looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mining.corpus import CorpusView
from mining.indexes import Index

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_GUARD = 16
# Pairs scored at a time: 4 x 16 MiB at D = 512.
_PAIR_ROWS = 4096
# Queries multiplied with a block at a time: 16 MiB of scores.
_QUERY_ROWS = 256


class Hits(NamedTuple):
    """The best K documents of Q queries.

    Attributes:
        rows: (Q, K) row numbers, by score descending, then id ascending; -1 is padding.
        scores: (Q, K) float32 cosines; NaN is padding.
    """

    rows: Rows
    scores: Floats


def exact_scores(queries: Floats, documents: Floats) -> Floats:
    """Return the inner products of queries and documents, the same for each pair in any company.

    Args:
        queries: (Q, D) float32.
        documents: (Q, K, D) float32.

    Returns:
        (Q, K) float32; sums are made in float64 and rounded once.
    """
    products = np.einsum("qd,qkd->qk", queries.astype(np.float64), documents.astype(np.float64))
    return products.astype(np.float32)


def pair_scores(queries: Floats, corpus: CorpusView, places: Rows, rows: Rows) -> Floats:
    """Return (P,) `exact_scores` of P pairs.

    Args:
        queries: (Q, D) float32.
        corpus: N documents.
        places: (P,) places in `queries`.
        rows: (P,) rows of `corpus`.
    """
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _PAIR_ROWS):
        part = slice(start, start + _PAIR_ROWS)
        documents = corpus.vectors_of(rows[part])
        scores[part] = exact_scores(queries[places[part]], documents[:, None, :])[:, 0]
    return scores


def search(queries: Floats, corpus: CorpusView, index: Index, k: int) -> Hits:
    """Return the k nearest documents of every query, exactly.

    Args:
        queries: (Q, D) float32 rows of length at most 1.
        corpus: N documents.
        index: Proposes rows per block.
        k: At least 1; where N is smaller, the tail is padding.
    """
    wanted = min(k, len(corpus))
    fetched = min(wanted + _GUARD, len(corpus))
    proposed = _propose(queries, corpus, index, fetched)
    places = np.repeat(np.arange(len(queries)), fetched)
    exact = pair_scores(queries, corpus, places, proposed.rows.ravel())
    best = _best(corpus, proposed.rows, exact.reshape(len(queries), fetched), wanted)
    if 0 < fetched < len(corpus):
        # Nothing that was left out scored more than the worst that was proposed.
        left_out = proposed.scores.min(axis=1) + index.max_error(queries.shape[1])
        for place in np.flatnonzero(left_out >= best.scores[:, -1]):
            again = _search_from(queries[place], corpus, best.scores[place, -1], wanted)
            best.rows[place], best.scores[place] = again.rows[0], again.scores[0]
    return _padded(best, k)


def count_above(queries: Floats, thresholds: Floats, corpus: CorpusView) -> Rows:
    """Return how many documents score strictly above each query's threshold, over all N.

    Args:
        queries: (Q, D) float32 rows of length at most 1.
        thresholds: (Q,) float32 scores from `exact_scores`.
        corpus: N documents.
    """
    above = np.zeros(len(queries), np.int64)
    error = rounding_error(queries.shape[1])
    for first, block in corpus.blocks():
        for start in range(0, len(queries), _QUERY_ROWS):
            part = slice(start, start + _QUERY_ROWS)
            excess = queries[part] @ block.T - thresholds[part, None]
            above[part] += (excess > error).sum(axis=1)
            # Too near for a product that rounds differently: compare the exact scores.
            near, rows = np.nonzero(np.abs(excess) <= error)
            exact = pair_scores(queries, corpus, near + start, rows + first)
            np.add.at(above, near + start, exact > thresholds[near + start])
    return above


def rounding_error(dimension: int) -> float:
    """Return how far two float32 inner products of the same pair can be apart.

    The bound holds for vectors of length at most 1 and any order of summation.
    """
    return 2.0 * dimension * 2.0**-24


def _propose(queries: Floats, corpus: CorpusView, index: Index, fetched: int) -> Hits:
    """Return the (Q, fetched) best rows by the back-end's own scores, in no order."""
    rows = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    for first, block in corpus.blocks():
        found = index.top_rows(queries, block, min(fetched, len(block)))
        rows = np.concatenate([rows, found.rows + first], axis=1)
        scores = np.concatenate([scores, found.scores], axis=1)
        surplus = rows.shape[1] - fetched
        if surplus > 0:
            best = np.argpartition(scores, surplus, axis=1)[:, surplus:]
            rows = np.take_along_axis(rows, best, axis=1)
            scores = np.take_along_axis(scores, best, axis=1)
    return Hits(rows, scores)


def _search_from(query: Floats, corpus: CorpusView, lowest: np.float32, wanted: int) -> Hits:
    """Return one query's best, looking at every row that may score `lowest` or more."""
    best = Hits(np.empty((1, 0), np.int64), np.empty((1, 0), np.float32))
    bound = lowest - rounding_error(len(query))
    for first, block in corpus.blocks():
        rows = np.flatnonzero(block @ query >= bound) + first
        exact = pair_scores(query[None], corpus, np.zeros(len(rows), np.int64), rows)
        rows = np.concatenate([best.rows, rows[None]], axis=1)
        best = _best(corpus, rows, np.concatenate([best.scores, exact[None]], axis=1), wanted)
    return best


def _best(corpus: CorpusView, rows: Rows, scores: Floats, wanted: int) -> Hits:
    order = np.lexsort((corpus.id_order[rows], -scores), axis=1)[:, :wanted]
    return Hits(np.take_along_axis(rows, order, 1), np.take_along_axis(scores, order, 1))


def _padded(hits: Hits, k: int) -> Hits:
    missing = k - hits.rows.shape[1]
    if missing <= 0:
        return hits
    padding = ((0, 0), (0, missing))
    return Hits(
        np.pad(hits.rows, padding, constant_values=-1),
        np.pad(hits.scores, padding, constant_values=np.nan),
    )
