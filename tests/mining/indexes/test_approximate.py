"""Approximate back-ends: what they return is scored, bounded and ordered exactly."""

from __future__ import annotations

import importlib.util
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mining.indexes.auto as auto_module
from mining.corpus import CorpusView
from mining.corpus_part import CorpusPart
from mining.indexes import INDEXES, Index
from mining.indexes.approximate import ApproximateIndex
from mining.indexes.exact import ExactIndex
from mining.indexes.torch_scan import TorchScan
from mining.recall import measure_recall, sample_queries
from mining.search import Floats, Found, Rows, Wanted, pair_scores
from sdg.errors import ConfigError, DataError
from tests.mining import visible
from tests.mining.visible import document

SIZE, WIDTH = 400, 8
APPROXIMATE = [
    {"index": "faiss_ivf", "lists": 8, "probes": 2},
    {"index": "faiss_ivf", "lists": 8, "probes": 2, "codes": "float32"},
    {"index": "faiss_hnsw", "links": 8, "search_width": 16},
    {"index": "faiss_hnsw", "links": 8, "search_width": 16, "codes": "float32"},
    {"index": "matryoshka", "dimension": 4, "oversampling": 1},
]


def _names(settings: dict[str, object]) -> str:
    return "-".join(map(str, settings.values()))


approximate = pytest.mark.parametrize("settings", APPROXIMATE, ids=_names)


def _unit(random: np.random.Generator, count: int) -> Floats:
    vectors = random.normal(size=(count, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> CorpusView:
    vectors = _unit(np.random.default_rng(7), SIZE)
    vectors[5:9] = vectors[4]
    vectors[-1] = 0
    rows = [document(f"d{(i * 7) % SIZE:04d}", f"text {i}") for i in range(SIZE)]
    texts = {f"text {i}": vector.tolist() for i, vector in enumerate(vectors)}
    return visible.corpus(tmp_path_factory.mktemp("corpus"), rows, texts)


@pytest.fixture(scope="module")
def queries() -> Floats:
    return _unit(np.random.default_rng(8), 40)


def _all_scores(queries: Floats, corpus: CorpusView) -> Floats:
    places = np.repeat(np.arange(len(queries)), len(corpus))
    rows = np.tile(np.arange(len(corpus)), len(queries))
    return pair_scores(queries, corpus, places, rows).reshape(len(queries), len(corpus))


def _check(found_rows: Rows, found_scores: Floats, every: Floats, corpus: CorpusView) -> None:
    for rows, scores, own in zip(found_rows, found_scores, every, strict=True):
        there = rows[rows >= 0]
        assert len(set(there.tolist())) == len(there)
        assert scores[: len(there)].tolist() == own[there].tolist()
        order = np.lexsort((corpus.id_order[there], -own[there]))
        assert order.tolist() == list(range(len(there)))


@approximate
def test_whatever_is_found_has_its_exact_score_and_the_one_order(
    view: CorpusView, queries: Floats, settings: dict[str, object]
) -> None:
    found = INDEXES.build(settings).search(queries, view, Wanted.nearest(10, len(queries)))
    assert (found.rows >= 0).all()
    _check(found.rows, found.scores, _all_scores(queries, view), view)


@approximate
def test_every_query_is_filled_below_its_bound_however_deep_that_lies(
    view: CorpusView, queries: Floats, settings: dict[str, object]
) -> None:
    every = _all_scores(queries, view)
    upper = np.quantile(every, np.linspace(0.05, 1.0, len(queries)), axis=1).diagonal()
    wanted = Wanted(6, upper.astype(np.float32), *Wanted.nearest(6, len(queries))[2:])
    found = INDEXES.build(settings).search(queries, view, wanted)
    assert (found.rows >= 0).all()
    assert (found.scores <= wanted.upper[:, None]).all()
    _check(found.rows, found.scores, every, view)


@approximate
def test_a_query_is_short_only_if_the_corpus_has_no_more_between_its_bounds(
    view: CorpusView, queries: Floats, settings: dict[str, object]
) -> None:
    every = _all_scores(queries, view)
    ordered = np.sort(every, axis=1)
    # Exactly three scores of each query lie between the bounds.
    lower, upper = ordered[:, 60], ordered[:, 62]
    infinite = np.full(len(queries), np.inf, np.float32)
    found = INDEXES.build(settings).search(queries, view, Wanted(5, upper, lower, infinite))
    exact = INDEXES.build({"index": "exact"}).search(
        queries, view, Wanted(5, upper, lower, infinite)
    )
    short = (found.rows >= 0).sum(axis=1) < 3
    assert not short.any()
    assert np.array_equal(found.rows, exact.rows)


@approximate
def test_a_part_of_the_corpus_gives_documents_of_the_part_only(
    view: CorpusView, queries: Floats, settings: dict[str, object]
) -> None:
    inside = np.arange(1, SIZE, 3)
    part = CorpusPart(view, inside)
    found = INDEXES.build(settings).search(queries, part, Wanted.nearest(8, len(queries)))
    assert (found.rows >= 0).all() and (found.rows < len(inside)).all()
    _check(found.rows, found.scores, _all_scores(queries, view)[:, inside], part)


@approximate
def test_a_corpus_smaller_than_k_ends_in_padding(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    vectors = {f"text {i}": [float(i == j) for j in range(WIDTH)] for i in range(3)}
    rows = [document(f"d{i}", f"text {i}") for i in range(3)]
    view = visible.corpus(tmp_path, rows, vectors)
    query = np.eye(1, WIDTH, dtype=np.float32)
    found = INDEXES.build(settings).search(query, view, Wanted.nearest(5, 1))
    assert found.rows.tolist() == [[0, 1, 2, -1, -1]]
    assert np.isnan(found.scores[0, 3:]).all()


def test_looking_into_every_list_is_exact(view: CorpusView, queries: Floats) -> None:
    settings = {"index": "faiss_ivf", "lists": 8, "probes": 8, "codes": "float32"}
    wanted = Wanted.nearest(10, len(queries))
    found = INDEXES.build(settings).search(queries, view, wanted)
    exact = INDEXES.build({"index": "exact"}).search(queries, view, wanted)
    assert np.array_equal(found.rows, exact.rows)
    assert np.array_equal(found.scores, exact.scores)


def test_recall_grows_with_the_lists_that_are_looked_into(
    view: CorpusView, queries: Floats
) -> None:
    shares = [
        measure_recall(
            queries, view, INDEXES.build({"index": "faiss_ivf", "lists": 8, "probes": probes}), 10
        ).share
        for probes in (1, 3, 8)
    ]
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.99


class _HalfBlind(ApproximateIndex):
    """Knows documents with even rows only."""

    name = "half_blind"

    def propose(self, queries: Floats, corpus: CorpusView, depth: int) -> Rows:
        scores = _all_scores(queries, corpus)
        scores[:, 1::2] = -np.inf
        rows = np.argsort(-scores, axis=1)[:, :depth]
        return np.where(np.take_along_axis(scores, rows, 1) == -np.inf, -1, rows)


def test_recall_is_the_share_of_the_exact_result_that_is_found(
    view: CorpusView, queries: Floats
) -> None:
    exact = INDEXES.build({"index": "exact"})
    assert measure_recall(queries, view, exact, 10).share == 1.0
    nearest = exact.search(queries, view, Wanted.nearest(10, len(queries))).rows
    measured = measure_recall(queries, view, _HalfBlind(), 10)
    assert (measured.k, measured.queries, measured.exact) == (10, 40, 400)
    assert measured.found == (nearest % 2 == 0).sum()
    assert measured.to_json()["recall"] == round(measured.found / 400, 6)


class _Forgetful(ExactIndex):
    """Finds documents with even rows only, with padding between them."""

    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        found = super().search(queries, corpus, wanted)
        return found._replace(rows=np.where(found.rows % 2 == 0, found.rows, -1))


def test_measuring_long_lists_takes_no_memory_for_their_square(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(2060, WIDTH))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    documents = [document(f"d{number}", f"text {number}") for number in range(2000)]
    texts = {f"text {number}": row for number, row in enumerate(rows[60:].tolist())}
    wide = visible.corpus(tmp_path, documents, texts)
    asked = rows[:60].astype(np.float32)
    tracemalloc.start()
    measured = measure_recall(asked, wide, _Forgetful(), 1500)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    exact = INDEXES.build({"index": "exact"}).search(asked, wide, Wanted.nearest(1500, 60)).rows
    assert (measured.found, measured.exact) == ((exact % 2 == 0).sum(), 60 * 1500)
    # 60 x 1,500 x 1,500 comparisons are 129 MiB.
    assert peak < 32 * 2**20


def test_what_an_index_never_reaches_is_scanned_for(view: CorpusView, queries: Floats) -> None:
    wanted = Wanted.nearest(SIZE, len(queries))
    found = _HalfBlind().search(queries, view, wanted)
    exact = INDEXES.build({"index": "exact"}).search(queries, view, wanted)
    assert np.array_equal(found.rows, exact.rows)


def test_a_sample_depends_on_the_seed_and_not_on_the_queries_beside_it() -> None:
    ids = [f"q{i}" for i in range(200)]
    sample = sample_queries(ids, 3, 20)
    assert len(sample) == 20 and (np.diff(sample) > 0).all()
    assert not np.array_equal(sample, sample_queries(ids, 4, 20))
    fewer = [ids[place] for place in sample] + ids[:50]
    kept = sorted(dict.fromkeys(fewer), key=ids.index)
    again = [kept[place] for place in sample_queries(kept, 3, 20)]
    assert again == [ids[place] for place in sample]
    assert sample_queries(ids[:5], 3, 20).tolist() == [0, 1, 2, 3, 4]


BUILT = [settings for settings in APPROXIMATE if str(settings["index"]).startswith("faiss")]


@pytest.mark.parametrize("settings", BUILT, ids=_names)
def test_a_prepared_index_is_kept_and_gives_what_one_in_memory_gives(
    tmp_path: Path, view: CorpusView, queries: Floats, settings: dict[str, object]
) -> None:
    wanted = Wanted.nearest(10, len(queries))
    in_memory = INDEXES.build(settings).search(queries, view, wanted)
    first = INDEXES.build(settings)
    first.prepare(view, tmp_path, "corpus-1")
    (folder,) = tmp_path.iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = INDEXES.build(settings)
    again.prepare(view, tmp_path, "corpus-1")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    for index in (first, again):
        assert np.array_equal(index.search(queries, view, wanted).rows, in_memory.rows)


def test_search_settings_share_one_file_and_another_corpus_has_its_own(
    tmp_path: Path, view: CorpusView
) -> None:
    def prepare(fingerprint: str, **settings: object) -> Index:
        index = INDEXES.build({"index": "faiss_ivf", **settings})
        index.prepare(view, tmp_path, fingerprint)
        return index

    prepare("one", probes=1)
    prepare("one", probes=2)
    assert len(list(tmp_path.iterdir())) == 1
    prepare("two")
    prepare("one", lists=2)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_index_is_built_again(tmp_path: Path, view: CorpusView, queries: Floats) -> None:
    settings = {"index": "faiss_ivf", "lists": 4}
    INDEXES.build(settings).prepare(view, tmp_path, "x")
    (folder,) = tmp_path.iterdir()
    whole = (folder / "index.faiss").read_bytes()
    (folder / "index.faiss").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    INDEXES.build(settings).prepare(view, tmp_path, "x")
    assert (folder / "index.faiss").read_bytes() == whole
    assert list(tmp_path.iterdir()) == [folder]


def test_an_index_of_another_corpus_is_refused(
    tmp_path: Path, view: CorpusView, queries: Floats
) -> None:
    index = INDEXES.build({"index": "faiss_hnsw"})
    index.prepare(view, tmp_path, "x")
    other = visible.corpus(tmp_path / "o", [document("d", "t")], {"t": [1.0] + [0.0] * 7})
    with pytest.raises(DataError, match="must index the corpus of 1 documents, but has 400"):
        index.search(queries, other, Wanted.nearest(1, len(queries)))


def test_auto_takes_an_exact_index_and_says_which(view: CorpusView, queries: Floats) -> None:
    auto, exact = INDEXES.build({"index": "auto"}), INDEXES.build({"index": "exact"})
    assert auto.is_exact
    assert auto.identity() == exact.identity()
    assert auto.describe().endswith(", taken by auto")
    wanted = Wanted.nearest(10, len(queries))
    one, other = auto.search(queries, view, wanted), exact.search(queries, view, wanted)
    assert np.array_equal(one.rows, other.rows)
    assert np.array_equal(one.scores, other.scores)


@pytest.mark.parametrize(
    ("packages", "num_gpus", "expected"),
    [
        ({"faiss", "torch"}, 2, "faiss_flat, device gpu, taken by auto"),
        ({"faiss", "torch"}, 0, "torch, screen int8, taken by auto"),
        ({"faiss"}, 0, "faiss_flat, taken by auto"),
        ({"torch"}, 2, "torch, screen int8, taken by auto"),
        (set(), 0, "exact, taken by auto"),
    ],
)
def test_auto_prefers_a_gpu_then_the_fastest_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, packages: set[str], num_gpus: int, expected: str
) -> None:
    fake = SimpleNamespace(get_num_gpus=lambda: num_gpus)
    monkeypatch.setattr(auto_module, "load_faiss", lambda: fake)
    monkeypatch.setattr(TorchScan, "taken_screen", lambda _: "int8")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name if name in packages else None
    )
    auto = INDEXES.build({"index": "auto"})
    assert auto.describe() == expected


def test_more_short_dimensions_than_the_vectors_have_are_refused(
    view: CorpusView, queries: Floats
) -> None:
    with pytest.raises(ConfigError, match="at most that of the vectors, 8, but is 9"):
        INDEXES.build({"index": "matryoshka", "dimension": 9}).search(
            queries, view, Wanted.nearest(1, len(queries))
        )
