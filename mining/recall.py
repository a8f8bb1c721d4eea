"""How much of the exact result an approximate index finds, on a sample of the queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mining.corpus import CorpusView
from mining.indexes import Index
from mining.scan import scan
from mining.screens import Float32Screen
from mining.search import Floats, Rows, Wanted
from sdg.ids import seed_for

# Queries: one pass over the corpus, and the share is known to about half a percent (own).
SAMPLE = 256


@dataclass(frozen=True, slots=True)
class Recall:
    """A measurement.

    Attributes:
        k: Nearest documents asked for.
        queries: In the sample.
        found: Documents of the exact result that the index found, over all queries.
        exact: Documents of the exact result.
    """

    k: int
    queries: int
    found: int
    exact: int

    @property
    def share(self) -> float:
        """Return found / exact; 1.0 if there was nothing to find."""
        return self.found / self.exact if self.exact else 1.0

    def to_json(self) -> dict[str, int | float]:
        """Return the measurement as JSON."""
        counts = {"k": self.k, "queries": self.queries, "found": self.found, "exact": self.exact}
        return {**counts, "recall": round(self.share, 6)}


def sample_queries(query_ids: Sequence[str], seed: int, size: int = SAMPLE) -> Rows:
    """Return the places of at most `size` queries, ascending; a query's draw is its own.

    Args:
        query_ids: Q different ids.
        seed: The run's seed.
        size: Of the sample.
    """
    draws = np.array([seed_for(seed, "recall", query_id) for query_id in query_ids], np.int64)
    return np.sort(np.argsort(draws, kind="stable")[:size])


def measure_recall(queries: Floats, corpus: CorpusView, index: Index, k: int) -> Recall:
    """Return how many of the k nearest documents of Q queries `index` finds.

    Args:
        queries: (Q, D) float32.
        corpus: N documents; all of them are read once.
        index: Any; an exact one finds all.
        k: At least 1; where N is smaller, all documents are the nearest.
    """
    wanted = Wanted.nearest(max(1, min(k, len(corpus))), len(queries))
    exact = scan(queries, corpus, wanted, Float32Screen()).rows
    found = index.search(queries, corpus, wanted).rows
    # Query by query: all at once would be Q x k x k comparisons, 1 GiB at k = 2,000.
    both = sum(np.isin(own[own >= 0], other).sum() for own, other in zip(exact, found, strict=True))
    return Recall(wanted.k, len(queries), int(both), int((exact >= 0).sum()))
