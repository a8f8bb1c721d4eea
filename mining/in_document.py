"""Other chunks of the positive's own document as candidates.

They share the positive's topic, wording and style, and differ in what they say: negatives that
teach to tell the right passage of a document from its neighbours. The rules `same_parent` and
`same_group` would drop every one of them.

Reference: Conti et al. 2025, InSeNT in ConTEB, arXiv 2505.24782.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mining.corpus import CorpusView
from mining.proposals import Proposals

Rows = npt.NDArray[np.int64]

SOURCE = "in_document"
# Near misses by design: rules that keep near misses out would drop them all.
EXEMPT = frozenset(
    {"same_entity", "same_group", "same_parent", "percent", "margin", "absolute", "floor"}
)


def in_document_candidates(
    positive_rows: Sequence[Rows], corpus: CorpusView, max_chunks: int
) -> Proposals:
    """Return the other chunks of each query's positive documents.

    Args:
        positive_rows: Q arrays of corpus rows; none of them is returned for its own query.
        corpus: Its documents know their parent and their place in it.
        max_chunks: The nearest are returned, at most this many per query, at least 1.

    Returns:
        K = `max_chunks`. Rows are the nearest chunk first, the earlier one first between two as
        near. Scores are minus the distance in chunks to the nearest positive of the document: a
        neighbour has -1.
    """
    counts = np.array([len(own) for own in positive_rows], np.int64)
    positives = np.concatenate([np.empty(0, np.int64), *positive_rows])
    queries = np.repeat(np.arange(len(counts)), counts)
    order = _chunk_order(corpus)
    # What lies between a chunk and its nearest positive is nearer, so no other can be among them.
    parent = np.where(order < 0, -1, corpus.parent)
    beside, rows = _within_reach(positives, parent, order, max_chunks)
    asked, distance = queries[beside], np.abs(order[rows] - order[positives[beside]])
    # A chunk near two positives is taken once, by the nearer.
    by_chunk = np.lexsort((distance, rows, asked))
    pairs = (asked * len(corpus) + rows)[by_chunk]
    is_new = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]
    is_new &= ~np.isin(pairs, queries * len(corpus) + positives)
    kept = by_chunk[is_new]
    kept = kept[np.lexsort((order[rows[kept]], distance[kept], asked[kept]))]
    return _padded(asked[kept], rows[kept], distance[kept], len(counts), max_chunks)


def _chunk_order(corpus: CorpusView) -> Rows:
    """Return (N,) each document's 0-based place in its parent, -1 where it is not known."""
    codes, numbers = corpus.attribute("chunk_index")
    return np.array([*(int(number) for number in numbers), -1], np.int64)[codes]


def _within_reach(
    positives: Rows, parent: npt.NDArray[np.int32], order: Rows, reach: int
) -> tuple[Rows, Rows]:
    """Return pairs: a place in `positives`, and the row of a chunk at most `reach` from it."""
    parents = np.unique(parent[positives])
    rows = np.flatnonzero(np.isin(parent, parents[parents >= 0]))
    rows = rows[np.lexsort((order[rows], parent[rows]))]
    starts = np.searchsorted(parent[rows], parent[positives], side="left")
    stops = np.searchsorted(parent[rows], parent[positives], side="right")
    place_of = np.empty(len(parent), np.int64)
    place_of[rows] = np.arange(len(rows))
    here = np.where(stops > starts, place_of[positives], 0)
    first = np.maximum(starts, here - reach)
    lengths = np.minimum(stops, here + reach + 1) - first
    lengths[stops <= starts] = 0
    beside = np.repeat(np.arange(len(positives)), lengths)
    within = np.arange(len(beside)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return beside, rows[np.repeat(first, lengths) + within]


def _padded(
    queries: Rows, rows: Rows, distance: Rows, num_queries: int, max_chunks: int
) -> Proposals:
    """Return (Q, max_chunks) arrays of pairs that are sorted by query."""
    number = np.arange(len(queries)) - np.searchsorted(queries, queries)
    kept = number < max_chunks
    shape = num_queries, max_chunks
    out, scores = np.full(shape, -1, np.int64), np.full(shape, np.nan, np.float32)
    out[queries[kept], number[kept]] = rows[kept]
    scores[queries[kept], number[kept]] = -distance[kept].astype(np.float32)
    return Proposals(SOURCE, out, scores, EXEMPT)
