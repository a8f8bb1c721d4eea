"""Other chunks of the positive's document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mining.corpus import CorpusView
from mining.in_document import in_document_candidates
from tests.mining import visible
from tests.mining.visible import at, document


def _corpus(folder: Path, chunks: Sequence[tuple[str, int | None]]) -> CorpusView:
    """Return one document per (parent, chunk index), in that order."""
    rows = [
        document(f"d{i}", f"text {i}", parent_id=parent, chunk_index=index)
        for i, (parent, index) in enumerate(chunks)
    ]
    return visible.corpus(folder, rows, {f"text {i}": at(0) for i in range(len(chunks))})


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusView:
    """Return rows 0..4 as chunks 4, 0, 2, 1, 3 of one parent, and rows 5, 6 of another, split."""
    chunks = [("p", 4), ("p", 0), ("p", 2), ("p", 1), ("p", 3), ("q", 1), ("q", 0), ("alone", 0)]
    return _corpus(tmp_path, chunks)


def test_the_nearest_chunks_come_first_and_the_earlier_one_of_two_as_near(
    corpus: CorpusView,
) -> None:
    found = in_document_candidates([np.array([2])], corpus, 3)
    # Chunk 2: its neighbours 1 and 3, then 0 before 4.
    assert found.rows.tolist() == [[3, 4, 1]]
    assert found.scores.tolist() == [[-1, -1, -2]]
    assert found.source == "in_document"


def test_positives_are_never_returned_and_a_chunk_between_two_of_them_once(
    corpus: CorpusView,
) -> None:
    found = in_document_candidates([np.array([3, 4]), np.array([7]), np.array([6, 1])], corpus, 4)
    assert found.rows.tolist() == [[1, 2, 0, -1], [-1] * 4, [3, 5, 2, 4]]
    assert found.scores[0, :3].tolist() == [-1, -1, -1]
    assert np.isnan(found.scores[1]).all()
    assert found.scores[2].tolist() == [-1, -1, -2, -3]


def test_documents_without_a_parent_have_no_neighbours(tmp_path: Path) -> None:
    corpus = _corpus(tmp_path, [("", 0), ("", 1)])
    assert in_document_candidates([np.array([0])], corpus, 2).rows.tolist() == [[-1, -1]]


def test_a_chunk_whose_place_is_not_known_is_no_neighbour(tmp_path: Path) -> None:
    corpus = _corpus(tmp_path, [("p", 0), ("p", None), ("p", 2)])
    found = in_document_candidates([np.array([0]), np.array([1])], corpus, 2)
    assert found.rows.tolist() == [[2, -1], [-1, -1]]


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**31), limit=st.integers(1, 6))
def test_candidates_equal_those_found_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, limit: int
) -> None:
    random = np.random.default_rng(seed)
    chunks = [(f"p{p}", i) for p in range(4) for i in range(random.integers(1, 9))]
    chunks = [chunks[i] for i in random.permutation(len(chunks))]
    corpus = _corpus(tmp_path_factory.mktemp("c"), chunks)
    own = [random.permutation(len(chunks))[: random.integers(1, 5)] for _ in range(5)]
    found = in_document_candidates(own, corpus, limit)
    for query, positives in enumerate(own):
        best: dict[int, int] = {}
        for row, (parent, index) in enumerate(chunks):
            away = [abs(index - chunks[p][1]) for p in positives if chunks[p][0] == parent]
            if away and row not in positives:
                best[row] = min(away)
        expected = sorted(best, key=lambda row: (best[row], chunks[row][1]))
        # Chunks of two documents may be as near as each other and have the same place.
        keys = [(best[row], chunks[row][1]) for row in found.rows[query].tolist() if row >= 0]
        assert keys == [(best[row], chunks[row][1]) for row in expected[:limit]]
        assert found.scores[query][: len(keys)].tolist() == [-float(k[0]) for k in keys]
