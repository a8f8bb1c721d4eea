"""Vectors of queries and documents -> the best documents of every query, exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_cards.probe.beir import EvalSet, Ints

Floats = npt.NDArray[np.float32]

# 64 MiB of scores at a time with 4 bytes each.
_BLOCK_SCORES = 2**24


def rank(queries: Floats, documents: Floats, evaluation: EvalSet, depth: int) -> Ints:
    """Return each query's best documents by inner product.

    A document with the query's own id is left out, as BEIR does.

    Args:
        queries: (Q, D) float32.
        documents: (N, D) float32, in ascending order of ids.
        evaluation: Whose queries and documents these are.
        depth: At least 1.

    Returns:
        (Q, min(depth, N)) places of documents by score descending, then id ascending; -1 is
        padding.
    """
    own = {doc_id: place for place, doc_id in enumerate(evaluation.doc_ids)}
    itself = np.array([own.get(query_id, -1) for query_id in evaluation.query_ids], np.int64)
    block = max(1, _BLOCK_SCORES // max(1, len(documents)))
    return np.concatenate(
        [
            best(queries[start : start + block] @ documents.T, depth, itself[start : start + block])
            for start in range(0, len(queries), block)
        ]
    )


def best(scores: Floats, depth: int, itself: Ints) -> Ints:
    """Return the places of the highest scores of each row; of equal ones the lower place first.

    Args:
        scores: (Q, N).
        depth: At least 1.
        itself: (Q,) a place that must not be returned, or -1.

    Returns:
        (Q, min(depth, N)) int64, padded with -1.
    """
    scores = scores.copy()
    has_own = np.flatnonzero(itself >= 0)
    scores[has_own, itself[has_own]] = -np.inf
    depth = min(depth, scores.shape[1])
    worst = -np.partition(-scores, depth - 1, axis=1)[:, depth - 1]
    out = np.empty((len(scores), depth), np.int64)
    for row, least in enumerate(worst):
        # All that tie with the last one take part, so that places decide among them.
        places = np.flatnonzero(scores[row] >= least)
        out[row] = places[np.argsort(-scores[row, places], kind="stable")[:depth]]
    out[np.isneginf(np.take_along_axis(scores, out, axis=1))] = -1
    return out
