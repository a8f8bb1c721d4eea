"""Exact search: every back-end, block size and number of equal documents gives the same result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import mining.corpus as corpus_module
from mining.corpus import CorpusView
from mining.indexes import INDEXES, Index, Proposed
from mining.search import count_above, exact_scores, search
from mining.vectors import VectorStore
from sdg import store
from sdg.errors import ContractError
from sdg.schemas import DOCUMENTS
from tests.mining import visible
from tests.mining.visible import GivenVectors, at, document


def _corpus(folder: Path, vectors: np.ndarray[Any, np.dtype[np.float32]]) -> CorpusView:
    rows = [document(f"d{i:04d}", f"text {i}") for i in range(len(vectors))]
    return visible.corpus(folder, rows, {f"text {i}": v.tolist() for i, v in enumerate(vectors)})


@pytest.mark.parametrize("name", sorted(INDEXES))
@pytest.mark.parametrize("block_rows", [7, 64, 1000])
def test_of_many_equal_documents_the_first_ids_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, block_rows: int
) -> None:
    """Back-ends take any of the documents that tie for the last place, not the first by id."""
    monkeypatch.setattr(corpus_module, "SEARCH_ROWS", block_rows)
    vectors = np.array([at(30 if i % 2 else 60) for i in range(300)], np.float32)
    view = _corpus(tmp_path, vectors)
    hits = search(np.array([at(0)], np.float32), view, INDEXES.build({"index": name}), 4)
    assert view.ids_of(hits.rows[0]) == ["d0001", "d0003", "d0005", "d0007"]
    assert hits.scores[0] == pytest.approx(np.cos(np.pi / 6))


@pytest.mark.parametrize("name", sorted(INDEXES))
def test_a_zero_query_scores_zero_everywhere_and_gives_the_first_ids(
    tmp_path: Path, name: str
) -> None:
    view = _corpus(tmp_path, np.array([at(i) for i in range(100)], np.float32))
    hits = search(np.zeros((1, 2), np.float32), view, INDEXES.build({"index": name}), 3)
    assert view.ids_of(hits.rows[0]) == ["d0000", "d0001", "d0002"]
    assert hits.scores.tolist() == [[0.0, 0.0, 0.0]]


def test_ids_and_not_the_order_of_the_files_decide_between_equal_scores(tmp_path: Path) -> None:
    rows = [document(f"d{i}", f"text {i}") for i in (4, 1, 3, 0, 2)]
    view = visible.corpus(tmp_path, rows, {f"text {i}": at(60) for i in range(5)})
    hits = search(np.array([at(0)], np.float32), view, INDEXES.build({"index": "exact"}), 3)
    assert view.ids_of(hits.rows[0]) == ["d0", "d1", "d2"]


class _Sloppy(Index):
    """Returns scores that are wrong by up to `error`, and the best by them."""

    error: float = 0.05

    def top_rows(
        self,
        queries: np.ndarray[Any, np.dtype[np.float32]],
        block: np.ndarray[Any, np.dtype[np.float32]],
        k: int,
    ) -> Proposed:
        noise = np.random.default_rng(len(block)).uniform(-1, 1, (len(queries), len(block)))
        scores = (queries @ block.T + self.error * noise).astype(np.float32)
        rows = np.argsort(-scores, axis=1)[:, :k]
        return Proposed(rows, np.take_along_axis(scores, rows, axis=1))

    def max_error(self, dimension: int) -> float:
        return self.error + super().max_error(dimension)


@hypothesis_settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 150),
    copies=st.integers(1, 80),
    k=st.integers(1, 60),
    block_rows=st.sampled_from([5, 33, 1000]),
)
def test_search_and_count_equal_sorting_all_exact_scores(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    size: int,
    copies: int,
    k: int,
    block_rows: int,
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(size, 6)).astype(np.float32)
    vectors[random.integers(0, size, copies)] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[-1] = 0
    queries = random.normal(size=(3, 6)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_module, "SEARCH_ROWS", block_rows)
        view = _corpus(tmp_path_factory.mktemp("c"), vectors)
        every = exact_scores(queries, np.broadcast_to(vectors, (3, size, 6)))
        order = np.lexsort((np.broadcast_to(np.arange(size), every.shape), -every), axis=1)
        backends = [*(INDEXES.build({"index": name}) for name in INDEXES), _Sloppy()]
        for index in backends:
            hits = search(queries, view, index, k)
            depth = min(k, size)
            assert np.array_equal(hits.rows[:, :depth], order[:, :depth])
            expected = np.take_along_axis(every, order[:, :depth], axis=1)
            assert np.array_equal(hits.scores[:, :depth], expected)
            assert (hits.rows[:, depth:] == -1).all()
            assert np.isnan(hits.scores[:, depth:]).all()
        bounds = every[:, size // 2]
        above = count_above(queries, bounds, view)
        assert above.tolist() == (every > bounds[:, None]).sum(axis=1).tolist()


def test_a_score_does_not_depend_on_the_pairs_beside_it() -> None:
    random = np.random.default_rng(3)
    queries = random.normal(size=(50, 512)).astype(np.float32)
    documents = random.normal(size=(50, 30, 512)).astype(np.float32)
    together = exact_scores(queries, documents)
    alone = [exact_scores(queries[i : i + 1], documents[i : i + 1, j : j + 1]) for i, j in PLACES]
    assert [x.item() for x in alone] == [together[i, j].item() for i, j in PLACES]


PLACES = [(0, 0), (7, 29), (49, 3), (21, 11)]


def test_a_gpu_that_is_asked_for_and_missing_is_an_error(tmp_path: Path) -> None:
    import faiss

    if getattr(faiss, "get_num_gpus", lambda: 0)():
        pytest.skip("there is a GPU")
    view = _corpus(tmp_path, np.array([at(0)], np.float32))
    index = INDEXES.build({"index": "faiss_flat", "device": "gpu"})
    with pytest.raises(Exception, match="FAISS sees 0 GPUs"):
        search(np.array([at(0)], np.float32), view, index, 1)


def test_loading_faiss_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    import os

    before = dict(os.environ)
    index = INDEXES.build({"index": "faiss_flat"})
    index.top_rows(np.ones((1, 2), np.float32), np.ones((1, 2), np.float32), 1)
    assert dict(os.environ) == before


def test_a_damaged_block_is_embedded_again_when_the_corpus_is_opened(tmp_path: Path) -> None:
    vectors = np.array([at(i) for i in range(10)], np.float32)
    view = _corpus(tmp_path, vectors)
    victim = view.vectors.folder / "block-00000.npy"
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))
    again = VectorStore(tmp_path / "vectors", view.vectors.encoder, "document")
    opened = CorpusView.open([tmp_path / "documents.parquet"], again)
    assert np.array_equal(opened.vectors_of(np.arange(10)), vectors)


def test_a_damaged_manifest_of_a_block_is_no_block(tmp_path: Path) -> None:
    view = _corpus(tmp_path, np.array([at(0)], np.float32))
    (view.vectors.folder / "block-00000.json").write_text("{", encoding="utf-8")
    again = VectorStore(tmp_path / "vectors", view.vectors.encoder, "document")
    assert again.ensure([["text 0"]]) == 1


def test_an_id_that_occurs_twice_is_named(tmp_path: Path) -> None:
    rows = [document("same", "text a"), document("other", "text b"), document("same", "text c")]
    with pytest.raises(ContractError, match="'same' occurs twice"):
        visible.corpus(tmp_path, rows, {f"text {c}": at(0) for c in "abc"})


def test_texts_come_from_many_files_and_row_groups_in_the_order_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mining.texts._REMEMBERED_BYTES", 1)
    paths = []
    for number in range(3):
        rows = [document(f"d{number}{i}", f"text {number} {i}") for i in range(5)]
        table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
        paths.append(tmp_path / f"{number}.parquet")
        store.write_parquet(paths[-1], table, row_group_rows=2)
    vectors = VectorStore(tmp_path / "v", GivenVectors(), "document")
    view = CorpusView.open(paths, vectors)
    asked = view.rows_of(["d24", "d00", "d13", "d00"])
    assert view.texts(asked) == ["text 2 4", "text 0 0", "text 1 3", "text 0 0"]
