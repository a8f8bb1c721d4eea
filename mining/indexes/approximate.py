"""What all approximate back-ends share: they propose, the rest is exact.

    propose(depth) ─► exact scores ─► bounds ─► enough? ─ no ─► propose 4 x as deep
                                                  └ never ─► an exact scan for that query

So an approximate index may miss documents, and never scores one wrongly, orders two wrongly, or
leaves a query short: what it does not reach is found the exact way. What it misses is measured
(`mining.recall`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from mining.corpus import CorpusView
from mining.corpus_part import CorpusPart
from mining.indexes import Index
from mining.scan import scan
from mining.screens import Float32Screen
from mining.search import Floats, Found, Rows, Wanted, check_wanted, pair_scores

# More than asked for at first, as in the exact search by FAISS.
_GUARD = 16
_DEEPER = 4
# Pairs proposed for all queries together: 48 MiB of rows and scores.
_MAX_PROPOSED = 2**22


class ApproximateIndex(Index):
    """Searches by proposals that may lack some of the nearest documents."""

    is_exact: ClassVar[bool] = False

    @abstractmethod
    def propose(self, queries: Floats, corpus: CorpusView, depth: int) -> Rows:
        """Return documents that are probably the nearest.

        Args:
            queries: (Q, D) float32, C-contiguous, finite.
            corpus: N documents.
            depth: At most N.

        Returns:
            (Q, depth) int64 rows in any order, none twice in a query; -1 is padding, anywhere, and
            says that the index reaches no more.
        """

    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        """Return the best documents it reaches; see `Index.search`.

        `above_upper` and `above_rank` count documents that it reaches, so they may be too low.
        """
        check_wanted(queries, wanted)
        queries = np.ascontiguousarray(queries, np.float32)
        found = Found.nothing(len(queries), wanted.k)
        waiting = np.arange(len(queries)) if len(corpus) else np.empty(0, np.int64)
        depth = min(self.first_depth(wanted.k), len(corpus))
        unreached = [np.empty(0, np.int64)]
        while len(waiting):
            short = [np.empty(0, np.int64)]
            step = max(1, _MAX_PROPOSED // depth)
            for start in range(0, len(waiting), step):
                places = waiting[start : start + step]
                rows = self.propose(queries[places], corpus, depth)
                part = wanted.part(places)
                piece, lowest = _settle(queries[places], corpus, part, rows)
                _put(found, places, piece)
                is_open = piece.rows[:, -1] < 0
                # Deeper proposals are padding, or probably below what is wanted.
                is_end = (rows < 0).any(axis=1)
                if depth < len(corpus):
                    is_end |= lowest < part.lower
                unreached.append(places[is_open & is_end])
                short.append(places[is_open & ~is_end])
            # All documents were proposed to those that are short and saw no end.
            waiting = np.concatenate(short) if depth < len(corpus) else short[0]
            depth = min(depth * _DEEPER, len(corpus))
        rest = np.concatenate(unreached)
        if len(rest):
            exact = scan(queries[rest], corpus, wanted.part(rest), Float32Screen())
            _put(found, rest, exact)
        return found

    def first_depth(self, k: int) -> int:
        """Return how many documents are proposed at first for k wanted ones."""
        return k + _GUARD


def rows_in_whole(corpus: CorpusView) -> tuple[CorpusView, Rows | None]:
    """Return the whole corpus and which of its rows are searched; None: all of them."""
    if isinstance(corpus, CorpusPart):
        return corpus.whole, corpus.rows
    return corpus, None


def _settle(
    queries: Floats, corpus: CorpusView, wanted: Wanted, rows: Rows
) -> tuple[Found, Floats]:
    """Score proposals exactly; return the best inside the bounds, and each query's lowest score."""
    is_there = rows >= 0
    scores = np.full(rows.shape, np.nan, np.float32)
    places = np.nonzero(is_there)[0]
    scores[is_there] = pair_scores(queries, corpus, places, rows[is_there])
    # Comparisons with NaN are false, so padding is never inside.
    inside = (scores <= wanted.upper[:, None]) & (scores >= wanted.lower[:, None])
    order = np.lexsort((corpus.id_order[rows], -scores, ~inside), axis=1)[:, : wanted.k]
    is_kept = np.take_along_axis(inside, order, 1)
    found = Found.nothing(len(queries), wanted.k)
    width = order.shape[1]
    found.rows[:, :width] = np.where(is_kept, np.take_along_axis(rows, order, 1), -1)
    found.scores[:, :width] = np.where(is_kept, np.take_along_axis(scores, order, 1), np.nan)
    found.above_upper[:] = (scores > wanted.upper[:, None]).sum(axis=1)
    found.above_rank[:] = (scores > wanted.rank_scores[:, None]).sum(axis=1)
    lowest = np.where(is_there, scores, np.float32(np.inf)).min(axis=1)
    return found, lowest


def _put(found: Found, places: Rows, piece: Found) -> None:
    found.rows[places], found.scores[places] = piece.rows, piece.scores
    found.above_upper[places], found.above_rank[places] = piece.above_upper, piece.above_rank
