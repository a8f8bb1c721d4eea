"""Exact search for long lists: every document is scored, and the best are sorted once.

Keeping a list in order while scanning costs as much as the list is long, for every document that
enters it. A query that needs thousands of candidates is rare: the rules drop nearly everything.
"""

from __future__ import annotations

import numpy as np

from mining import kernels
from mining.corpus import CorpusView
from mining.search import Floats, Found, Wanted

# Exact scores held together: 32 MiB.
_MAX_SCORES = 2**23


def scan_deep(queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
    """Return the best documents inside the bounds; see `scan.scan`, which checks what it is given.

    Args:
        queries: (Q, D) float32, contiguous.
        corpus: N documents.
        wanted: What each query asks for.
    """
    found = Found.nothing(len(queries), wanted.k)
    step = max(1, _MAX_SCORES // max(1, len(corpus)))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        _search(queries[part], corpus, wanted.part(part), found.part(part))
    return found


def _search(queries: Floats, corpus: CorpusView, wanted: Wanted, found: Found) -> None:
    scores = np.empty((len(queries), len(corpus)), np.float32)
    for first, block in corpus.blocks():
        documents = np.require(block, np.float32, ["C", "W"])
        kernels.exact_block(queries, documents, scores[:, first : first + len(documents)])
    found.above_upper[:] = (scores > wanted.upper[:, None]).sum(axis=1)
    found.above_rank[:] = (scores > wanted.rank_scores[:, None]).sum(axis=1)
    for query, own in enumerate(scores):
        inside = np.flatnonzero((own >= wanted.lower[query]) & (own <= wanted.upper[query]))
        if len(inside) > wanted.k:
            # Everything that ties with the last place stays until ids decide.
            last = np.partition(own[inside], len(inside) - wanted.k)[len(inside) - wanted.k]
            inside = inside[own[inside] >= last]
        best = inside[np.lexsort((corpus.id_order[inside], -own[inside]))][: wanted.k]
        found.rows[query, : len(best)] = best
        found.scores[query, : len(best)] = own[best]
