"""Long lists: block by block as sorting all exact scores, in few passes over the corpus."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mining.deep_scan as module
from mining.deep_scan import scan_deep
from mining.search import Floats, Rows, Wanted


class Blocks:
    """Documents in memory, read a few at a time; counts its readings."""

    def __init__(self, vectors: Floats, id_order: Rows, size: int) -> None:
        self.vectors, self.id_order, self.size = vectors, id_order, size
        self.reads = 0

    def __len__(self) -> int:
        return len(self.vectors)

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        for first in range(0, len(self), self.size):
            self.reads += 1
            yield first, self.vectors[first : first + self.size]


@given(
    seed=st.integers(0, 2**31),
    size=st.integers(1, 9),
    k=st.integers(1, 12),
    kinds=st.integers(1, 6),
)
def test_block_by_block_gives_what_sorting_all_scores_gives(
    seed: int, size: int, k: int, kinds: int
) -> None:
    random = np.random.default_rng(seed)
    # Few different scores, so that most places are decided by ids.
    values = random.normal(size=kinds).astype(np.float32)
    vectors = np.zeros((40, 2), np.float32)
    vectors[:, 0] = values[random.integers(0, kinds, 40)]
    id_order = random.permutation(40)
    queries = np.array([[1, 0], [-1, 0]], np.float32)
    scores = queries @ vectors.T
    lower, upper = np.quantile(scores, [0.1, 0.8], axis=1).astype(np.float32)
    wanted = Wanted(k, upper, lower, scores[:, 3].copy())
    found = scan_deep(queries, Blocks(vectors, id_order, size), wanted)  # type: ignore[arg-type]
    for query, own in enumerate(scores):
        inside = np.flatnonzero((own >= lower[query]) & (own <= upper[query]))
        best = inside[np.lexsort((id_order[inside], -own[inside]))][:k]
        assert found.rows[query].tolist() == [*best.tolist(), *[-1] * (k - len(best))]
        assert found.scores[query, : len(best)].tolist() == own[best].tolist()
        assert found.above_upper[query] == (own > upper[query]).sum()
        assert found.above_rank[query] == (own > own[3]).sum()


def test_one_reading_of_the_corpus_serves_many_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)
    corpus = Blocks(vectors, np.arange(300), 50)
    monkeypatch.setattr(module, "SEARCH_ROWS", 50)
    # Room for the scores of a block and two lists of ten for twenty queries at a time.
    monkeypatch.setattr(module, "_MAX_SCORES", 20 * 70)
    scan_deep(vectors[:60], corpus, Wanted.nearest(10, 60))  # type: ignore[arg-type]
    assert corpus.reads == 3 * 6
