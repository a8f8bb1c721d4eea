"""Exact search: every back-end, block size and number of equal documents gives the same result."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import mining.corpus as corpus_module
from mining import kernels
from mining.corpus import CorpusView, text_code
from mining.corpus_part import CorpusPart
from mining.indexes import INDEXES, Index
from mining.screens import Float32Screen, Int8Screen, TorchFloat32Screen
from mining.search import Found, Wanted, pair_scores
from mining.texts import ParquetTexts
from mining.vectors import VectorStore
from sdg import store
from sdg.errors import BackendError, ContractError, PairmillError
from sdg.schemas import DOCUMENTS
from tests.mining import visible
from tests.mining.visible import GivenVectors, at, document

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
BACK_ENDS: list[Index] = [
    *(INDEXES.build({"index": name}) for name in INDEXES if INDEXES[name].is_exact),
    INDEXES.build({"index": "torch", "screen": "float32", "threads": 1}),
    INDEXES.build({"index": "torch", "screen": "int8", "threads": 3}),
]
if kernels.has_vnni():
    BACK_ENDS.append(INDEXES.build({"index": "torch", "screen": "fused", "threads": 2}))


def _search(queries: Floats, view: CorpusView, index: Index, k: int) -> Found:
    return index.search(queries, view, Wanted.nearest(k, len(queries)))


def _corpus(folder: Path, vectors: Floats) -> CorpusView:
    rows = [document(f"d{i:04d}", f"text {i}") for i in range(len(vectors))]
    return visible.corpus(folder, rows, {f"text {i}": v.tolist() for i, v in enumerate(vectors)})


@pytest.mark.parametrize("index", BACK_ENDS, ids=lambda index: index.name)
@pytest.mark.parametrize("block_rows", [7, 64, 1000])
def test_of_many_equal_documents_the_first_ids_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Index, block_rows: int
) -> None:
    """Back-ends take any of the documents that tie for the last place, not the first by id."""
    monkeypatch.setattr(corpus_module, "SEARCH_ROWS", block_rows)
    vectors = np.array([at(30 if i % 2 else 60) for i in range(300)], np.float32)
    view = _corpus(tmp_path, vectors)
    hits = _search(np.array([at(0)], np.float32), view, index, 4)
    assert view.ids_of(hits.rows[0]) == ["d0001", "d0003", "d0005", "d0007"]
    assert hits.scores[0] == pytest.approx(np.cos(np.pi / 6))


@pytest.mark.parametrize("index", BACK_ENDS, ids=lambda index: index.name)
def test_a_zero_query_scores_zero_everywhere_and_gives_the_first_ids(
    tmp_path: Path, index: Index
) -> None:
    view = _corpus(tmp_path, np.array([at(i) for i in range(100)], np.float32))
    hits = _search(np.zeros((1, 2), np.float32), view, index, 3)
    assert view.ids_of(hits.rows[0]) == ["d0000", "d0001", "d0002"]
    assert hits.scores.tolist() == [[0.0, 0.0, 0.0]]


def test_ids_and_not_the_order_of_the_files_decide_between_equal_scores(tmp_path: Path) -> None:
    rows = [document(f"d{i}", f"text {i}") for i in (4, 1, 3, 0, 2)]
    view = visible.corpus(tmp_path, rows, {f"text {i}": at(60) for i in range(5)})
    hits = _search(np.array([at(0)], np.float32), view, INDEXES.build({"index": "exact"}), 3)
    assert view.ids_of(hits.rows[0]) == ["d0", "d1", "d2"]


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 150),
    copies=st.integers(1, 80),
    k=st.integers(1, 60),
    block_rows=st.sampled_from([5, 33, 1000]),
    dimension=st.sampled_from([1, 3, 6, 17]),
)
def test_every_back_end_finds_and_counts_what_sorting_all_exact_scores_gives(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    size: int,
    copies: int,
    k: int,
    block_rows: int,
    dimension: int,
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(size, dimension)).astype(np.float32)
    vectors[random.integers(0, size, copies)] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[-1] = 0
    queries = random.normal(size=(4, dimension)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus_module, "SEARCH_ROWS", block_rows)
        view = _corpus(tmp_path_factory.mktemp("c"), vectors)
        every = _scored(queries, view)
        # Bounds and counts at scores that occur, where a rounding error would show.
        bounds = every[:, [size // 2, size - 1, size // 3]].T.copy()
        wanted = Wanted(k, *bounds)
        wanted.upper[0], wanted.lower[1] = np.inf, -np.inf
        for index in BACK_ENDS:
            _check(index.search(queries, view, wanted), every, wanted)


def _scored(queries: Floats, view: CorpusView) -> Floats:
    places, rows = np.divmod(np.arange(len(queries) * len(view)), len(view))
    return pair_scores(queries, view, places, rows).reshape(len(queries), len(view))


def _check(found: Found, every: Floats, wanted: Wanted) -> None:
    for query, scores in enumerate(every):
        inside = (scores <= wanted.upper[query]) & (scores >= wanted.lower[query])
        order = np.lexsort((np.arange(len(scores)), -scores))
        expected = order[inside[order]][: wanted.k]
        assert found.rows[query, : len(expected)].tolist() == expected.tolist()
        assert found.scores[query, : len(expected)].tolist() == scores[expected].tolist()
        assert (found.rows[query, len(expected) :] == -1).all()
        assert np.isnan(found.scores[query, len(expected) :]).all()
        assert found.above_upper[query] == (scores > wanted.upper[query]).sum()
        assert found.above_rank[query] == (scores > wanted.rank_scores[query]).sum()


@pytest.mark.parametrize("index", BACK_ENDS, ids=lambda index: index.name)
def test_a_weak_positive_in_a_crowd_is_exact_too(tmp_path: Path, index: Index) -> None:
    """Most of 3,000 documents score within the screen's error of the bound."""
    random = np.random.default_rng(5)
    vectors = random.normal(size=(3000, 32)).astype(np.float32)
    vectors[:2500] = vectors[0] + 1e-3 * vectors[:2500]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    view = _corpus(tmp_path, vectors)
    queries = vectors[[0, 2999]]
    every = _scored(queries, view)
    middle = np.sort(every, axis=1)[:, [700, 1500]]
    wanted = Wanted(9, middle[:, 1], np.full(2, -np.inf, np.float32), middle[:, 0])
    _check(index.search(queries, view, wanted), every, wanted)


@pytest.mark.parametrize("index", BACK_ENDS, ids=lambda index: index.name)
def test_a_long_list_is_what_sorting_all_exact_scores_gives(tmp_path: Path, index: Index) -> None:
    random = np.random.default_rng(2)
    vectors = random.normal(size=(2600, 4)).astype(np.float32)
    vectors[::2] = vectors[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    view = _corpus(tmp_path, vectors)
    queries = vectors[[5, 9]]
    every = _scored(queries, view)
    wanted = Wanted(1500, np.array([0.9, np.inf], np.float32), -np.ones(2, np.float32), every[:, 7])
    _check(index.search(queries, view, wanted), every, wanted)


def test_nearly_empty_vectors_are_scored_like_others(tmp_path: Path) -> None:
    vectors = np.zeros((40, 3), np.float32)
    vectors[:, 0] = np.geomspace(1e-44, 1, 40)
    view = _corpus(tmp_path, vectors)
    queries = np.array([[1, 0, 0], [1e-20, 0, 0]], np.float32)
    every = _scored(queries, view)
    wanted = Wanted(9, every[:, 20].copy(), np.full(2, -np.inf, np.float32), every[:, 30].copy())
    for index in BACK_ENDS:
        if index.name != "faiss_flat":
            _check(index.search(queries, view, wanted), every, wanted)


def test_exact_scores_are_the_correctly_rounded_inner_products() -> None:
    random = np.random.default_rng(3)
    queries = random.normal(size=(50, 513)).astype(np.float32)
    documents = random.normal(size=(50, 513)).astype(np.float32)
    scores = np.empty(50, np.float32)
    kernels.exact_pairs(queries, np.arange(50), documents, np.arange(50), scores)
    true = [
        np.float32(math.fsum(float(a) * float(b) for a, b in zip(q, d, strict=True)))
        for q, d in zip(queries, documents, strict=True)
    ]
    assert scores.tolist() == [float(score) for score in true]


@hypothesis_settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dimension=st.integers(1, 70), scale=st.floats(1e-3, 1e3))
def test_a_screen_is_never_further_off_than_it_says(
    seed: int, dimension: int, scale: float
) -> None:
    random = np.random.default_rng(seed)
    queries = random.normal(size=(5, dimension)).astype(np.float32)
    documents = (scale * random.standard_cauchy(size=(8, dimension))).astype(np.float32)
    documents[0] = 0
    exact = queries.astype(np.float64) @ documents.astype(np.float64).T
    for screen in (Float32Screen(), TorchFloat32Screen(), Int8Screen()):
        left, right = screen.prepare(queries), screen.prepare(documents)
        products = np.empty((5, 8), screen.dtype)
        screen.multiply(left, right, products)
        scores = products.astype(np.float32) * right.step[None, :] * left.step[:, None]
        assert (np.abs(scores - exact) <= screen.slack(left, right)[:, None]).all()


def test_a_vector_that_is_not_finite_is_refused_with_its_id(tmp_path: Path) -> None:
    vectors = np.array([at(0), at(10)], np.float32)
    view = _corpus(tmp_path, vectors)
    queries = np.array([at(0), [np.nan, 0]], np.float32)
    with pytest.raises(ContractError, match="1 of 2 queries break this, the first at 1"):
        BACK_ENDS[0].search(queries, view, Wanted.nearest(1, 2))


def test_a_gpu_that_is_asked_for_and_missing_is_an_error(tmp_path: Path) -> None:
    import faiss

    if getattr(faiss, "get_num_gpus", lambda: 0)():
        pytest.skip("there is a GPU")
    view = _corpus(tmp_path, np.array([at(0)], np.float32))
    index = INDEXES.build({"index": "faiss_flat", "device": "gpu"})
    with pytest.raises(BackendError, match="FAISS sees 0 GPUs"):
        _search(np.array([at(0)], np.float32), view, index, 1)
    with pytest.raises(BackendError, match="FAISS sees 0 GPUs"):
        index.check()
    for back_end in BACK_ENDS:
        back_end.check()


@pytest.mark.parametrize("index", BACK_ENDS, ids=lambda index: index.name)
def test_a_document_whose_vector_holds_nan_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Index
) -> None:
    view = _corpus(tmp_path, np.array([at(0), at(10)], np.float32))
    damaged = np.array([at(0), [np.nan, 1]], np.float32)
    monkeypatch.setattr(CorpusView, "blocks", lambda _: iter([(0, damaged)]))
    with pytest.raises(PairmillError, match=r"'d0001'|NaN"):
        _search(np.array([at(0)], np.float32), view, index, 2)


def test_loading_faiss_leaves_the_environment_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    import os

    before = dict(os.environ)
    index = INDEXES.build({"index": "faiss_flat"})
    view = _corpus(tmp_path, np.array([at(0)], np.float32))
    _search(np.ones((1, 2), np.float32), view, index, 1)
    assert dict(os.environ) == before


def test_a_damaged_block_is_embedded_again_when_the_corpus_is_opened(tmp_path: Path) -> None:
    vectors = np.array([at(i) for i in range(10)], np.float32)
    view = _corpus(tmp_path, vectors)
    assert isinstance(view.vectors, VectorStore)
    victim = view.vectors.folder / "block-00000.npy"
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))
    again = VectorStore(tmp_path / "vectors", view.vectors.encoder, "document")
    opened = CorpusView.open([tmp_path / "documents.parquet"], again)
    assert np.array_equal(opened.vectors_of(np.arange(10)), vectors)


def test_a_damaged_manifest_of_a_block_is_no_block(tmp_path: Path) -> None:
    view = _corpus(tmp_path, np.array([at(0)], np.float32))
    assert isinstance(view.vectors, VectorStore)
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


def test_a_part_of_a_corpus_reads_only_its_own_vectors_in_blocks_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [document(f"d{i}", f"text {i}") for i in range(10)]
    vectors = {str(row["text"]): at(9.0 * i) for i, row in enumerate(rows)}
    view = visible.corpus(tmp_path, rows, vectors)
    part = CorpusPart(view, np.array([1, 4, 5, 6, 9]))
    read: list[int] = []
    whole = view.vectors.read

    def counted(places: Rows) -> Floats:
        read.append(len(places))
        return whole(places)

    monkeypatch.setattr(view.vectors, "read", counted)
    blocks = [(first, block.tolist()) for first, block in part.blocks(2)]
    wanted = view.vectors_of(part.rows).tolist()
    assert blocks == [(0, wanted[:2]), (2, wanted[2:4]), (4, wanted[4:])]
    assert read == [2, 2, 1, 5]
    assert list(CorpusPart(view, np.empty(0, np.int64)).blocks()) == []


def _texts(folder: Path, num_rows: int, row_group_rows: int) -> CorpusView:
    rows = [document(f"d{i:03d}", f"text {i}") for i in range(num_rows)]
    path = folder / "documents.parquet"
    table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
    store.write_parquet(path, table, row_group_rows=row_group_rows)
    return CorpusView.open([path], VectorStore(folder / "v", GivenVectors(), "document"))


def test_words_of_many_documents_are_read_in_pieces_and_each_row_group_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mining.texts._REMEMBERED_BYTES", 1)
    monkeypatch.setattr("mining.corpus._TEXT_ROWS", 5)
    view = _texts(tmp_path, 60, 4)
    sizes: list[int] = []
    groups: list[int] = []
    texts, decode = ParquetTexts.texts, pq.ParquetFile.read_row_group

    def counted(self: ParquetTexts, rows: Rows) -> list[str]:
        sizes.append(len(rows))
        return texts(self, rows)

    def decoded(self: pq.ParquetFile, group: int, **settings: Any) -> pa.Table:
        groups.append(group)
        return decode(self, group, **settings)

    monkeypatch.setattr(ParquetTexts, "texts", counted)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", decoded)
    asked = np.random.default_rng(0).permutation(60)
    codes = view.text_codes(asked)
    assert codes.tolist() == [text_code(f"text {row}") for row in asked.tolist()]
    assert sizes == [5] * 12
    assert groups == list(range(15))


def test_the_footer_of_a_file_is_read_once_for_all_its_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,200 row groups with the columns of documents, reading it takes 23 ms each time."""
    monkeypatch.setattr("mining.texts._REMEMBERED_BYTES", 1)
    view = _texts(tmp_path, 12, 3)
    opened: list[bool] = []
    open_ = pq.ParquetFile.__init__

    def counted(self: pq.ParquetFile, path: Path, **settings: Any) -> None:
        opened.append(settings.get("metadata") is not None)
        open_(self, path, **settings)

    monkeypatch.setattr(pq.ParquetFile, "__init__", counted)
    assert view.texts(np.arange(12)) == [f"text {row}" for row in range(12)]
    assert opened == [True] * 4
