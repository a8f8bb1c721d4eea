"""Exact search for long lists: every document is scored, and the best are sorted now and then.

Keeping a list in order while scanning costs as much as the list is long, for every document that
enters it. A query that needs thousands of candidates is rare: the rules drop nearly everything.
"""

from __future__ import annotations

import numpy as np

from mining import kernels
from mining.corpus import SEARCH_ROWS, CorpusView
from mining.search import Floats, Found, Rows, Wanted

# Exact scores held together, of a block and of the best so far: 32 MiB.
_MAX_SCORES = 2**23


def scan_deep(queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
    """Return the best documents inside the bounds; see `scan.scan`, which checks what it is given.

    Args:
        queries: (Q, D) float32, contiguous.
        corpus: N documents; read once for as many queries as the scores of a block and two lists of
            k leave room for.
        wanted: What each query asks for.
    """
    found = Found.nothing(len(queries), wanted.k)
    step = max(1, _MAX_SCORES // (2 * wanted.k + SEARCH_ROWS))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        _search(queries[part], corpus, wanted.part(part), found.part(part))
    return found


def _search(queries: Floats, corpus: CorpusView, wanted: Wanted, found: Found) -> None:
    best = [_Best(wanted.k, float(lower)) for lower in wanted.lower]
    for first, block in corpus.blocks():
        documents = np.require(block, np.float32, ["C", "W"])
        scores = np.empty((len(queries), len(documents)), np.float32)
        kernels.exact_block(queries, documents, scores)
        found.above_upper[:] += (scores > wanted.upper[:, None]).sum(axis=1)
        found.above_rank[:] += (scores > wanted.rank_scores[:, None]).sum(axis=1)
        for query, own in enumerate(scores):
            best[query].add(first, own, wanted.upper[query], corpus.id_order)
    for query, own_best in enumerate(best):
        rows, scores = own_best.ended(corpus.id_order)
        found.rows[query, : len(rows)] = rows
        found.scores[query, : len(rows)] = scores


class _Best:
    """The best documents of one query so far, and some that may not be; at most 2 k and a block."""

    def __init__(self, k: int, lower: float) -> None:
        self._k = k
        # What scores less is out; what ties with it stays until ids decide.
        self._floor = lower
        self._rows: list[Rows] = [np.empty(0, np.int64)]
        self._scores: list[Floats] = [np.empty(0, np.float32)]
        self._size = 0

    def add(self, first: int, scores: Floats, upper: float, id_order: Rows) -> None:
        """Take what may be among the best of a block that begins at row `first`."""
        places = np.flatnonzero((scores >= self._floor) & (scores <= upper))
        self._rows.append(first + places)
        self._scores.append(scores[places])
        self._size += len(places)
        if self._size > 2 * self._k:
            self._cut(id_order)

    def _cut(self, id_order: Rows) -> None:
        """Let go of what cannot be among the best any more."""
        rows, scores = np.concatenate(self._rows), np.concatenate(self._scores)
        last = np.partition(scores, len(scores) - self._k)[len(scores) - self._k]
        stays = scores >= last
        rows, scores = rows[stays], scores[stays]
        if len(rows) > 2 * self._k:
            # Most of them tie with the last place.
            order = np.lexsort((id_order[rows], -scores))[: self._k]
            rows, scores = rows[order], scores[order]
        self._rows, self._scores, self._size = [rows], [scores], len(rows)
        self._floor = float(last)

    def ended(self, id_order: Rows) -> tuple[Rows, Floats]:
        """Return the best k, by score descending, then id."""
        rows, scores = np.concatenate(self._rows), np.concatenate(self._scores)
        order = np.lexsort((id_order[rows], -scores))[: self._k]
        return rows[order], scores[order]
