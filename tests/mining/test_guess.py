"""Long lists by a guessed bound: whatever the guess and wherever documents lie, exact."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import mining.scan as scan_module
from mining import guess, kernels
from mining.corpus import CorpusView
from mining.indexes import INDEXES
from mining.scan import scan
from mining.screens import Float32Screen, FusedScreen, Int8Screen, Screen
from mining.search import Found, Wanted
from tests.mining import visible
from tests.mining.visible import document

Floats = npt.NDArray[np.float32]
SCREENS: list[Screen] = [Float32Screen(), Int8Screen()]
if kernels.has_vnni():
    SCREENS.append(FusedScreen())
SIZE, K = 1500, 40
ORDERS = ["random", "ascending", "descending", "clusters", "duplicates", "one block"]


def _vectors(order: str, query: Floats, random: np.random.Generator) -> Floats:
    """Return unit vectors in an order that is hard for a bound that was seen so far."""
    vectors = random.normal(size=(SIZE, len(query))).astype(np.float32)
    if order == "clusters":
        centres = random.normal(size=(6, len(query)))
        vectors = (centres[np.arange(SIZE) * 6 // SIZE] + 0.2 * vectors).astype(np.float32)
    if order == "duplicates":
        vectors = vectors[np.minimum(random.integers(0, 30, SIZE), np.arange(SIZE))]
    if order == "one block":
        # All of the best lie side by side.
        vectors[700 : 700 + K] = query + 0.01 * vectors[700 : 700 + K]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if order in {"ascending", "descending"}:
        by_score = np.argsort(vectors @ query)
        vectors = vectors[by_score if order == "ascending" else by_score[::-1]]
    return np.ascontiguousarray(vectors)


def _corpus(folder: Path, vectors: Floats) -> CorpusView:
    rows = [document(f"d{i:04d}", f"text {i}") for i in range(len(vectors))]
    return visible.corpus(folder, rows, {f"text {i}": v.tolist() for i, v in enumerate(vectors)})


def _wanted(every: Floats, random: np.random.Generator) -> Wanted:
    """Return bounds at scores that occur: one query without any, three with less than K inside."""
    ranked = -np.sort(-every, axis=1)
    places = np.arange(len(every))
    highest = random.integers(0, SIZE // 2, len(every))
    lowest = np.where(places % 3 == 1, highest + K // 2, SIZE - SIZE // 8)
    upper, lower = ranked[places, highest], ranked[places, lowest]
    wanted = Wanted(K, upper, lower, ranked[:, SIZE // 9].copy())
    for bound, nothing in zip(wanted[1:], (np.inf, -np.inf, np.inf), strict=True):
        bound[0] = nothing
    return wanted


def _check(found: Found, every: Floats, wanted: Wanted) -> None:
    for query, scores in enumerate(every):
        inside = (scores <= wanted.upper[query]) & (scores >= wanted.lower[query])
        order = np.lexsort((np.arange(len(scores)), -scores))
        expected = order[inside[order]][: wanted.k].tolist()
        padding = [-1] * (wanted.k - len(expected))
        assert found.rows[query].tolist() == expected + padding
        assert found.scores[query, : len(expected)].tolist() == scores[expected].tolist()
        assert found.above_upper[query] == (scores > wanted.upper[query]).sum()
        assert found.above_rank[query] == (scores > wanted.rank_scores[query]).sum()


@pytest.mark.parametrize("rank", [None, 1, 3], ids=["as is", "far too high", "too high"])
@pytest.mark.parametrize("order", ORDERS)
def test_lists_and_counts_are_those_of_sorting_all_scores_wherever_the_best_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, rank: int | None
) -> None:
    """A guess that is too high makes another pass, and counts nothing twice."""
    if rank is not None:
        monkeypatch.setattr(guess, "rank", lambda *_: rank)
    random = np.random.default_rng(ORDERS.index(order))
    queries = random.normal(size=(9, 12)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    vectors = _vectors(order, queries[0], random)
    view = _corpus(tmp_path, vectors)
    every = visible.exact_scores(queries, vectors)
    assert len(guess.sample(SIZE, K))
    for wanted in (Wanted.nearest(K, 9), _wanted(every, random)):
        for screen in SCREENS:
            _check(scan(queries, view, wanted, screen), every, wanted)


@pytest.mark.parametrize("order", ORDERS)
def test_no_order_of_the_corpus_makes_a_third_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    passes: list[int] = []
    one_pass = scan_module._one_pass

    def counted(
        queries: Floats, corpus: CorpusView, wanted: Wanted, screen: Screen, threads: int
    ) -> Found:
        passes.append(len(corpus))
        return one_pass(queries, corpus, wanted, screen, threads)

    monkeypatch.setattr(scan_module, "_one_pass", counted)
    random = np.random.default_rng(7)
    queries = random.normal(size=(30, 12)).astype(np.float32)
    queries[1:10] = queries[0]
    view = _corpus(tmp_path, _vectors(order, queries[0] / np.linalg.norm(queries[0]), random))
    scan(queries, view, Wanted.nearest(K, 30), Float32Screen())
    assert passes == [len(guess.sample(SIZE, K)), SIZE]


def test_a_long_list_by_matryoshka_may_take_the_whole_corpus(tmp_path: Path) -> None:
    """Its corpus of short vectors is sampled like any other."""
    random = np.random.default_rng(3)
    vectors = random.normal(size=(400, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = INDEXES.build({"index": "matryoshka", "dimension": 4})
    found = index.search(vectors[:2], _corpus(tmp_path, vectors), Wanted.nearest(35, 2))
    assert found.rows[:, 0].tolist() == [0, 1]


@hypothesis_settings(max_examples=25, deadline=None)
@given(k=st.integers(32, 1024), per_mille=st.integers(1, 125))
def test_the_rank_in_the_sample_is_the_lowest_that_fails_once_in_a_million(
    k: int, per_mille: int
) -> None:
    share = Fraction(per_mille, 1000)
    chances = [comb(k, n) * share**n * (1 - share) ** (k - n) for n in range(k + 1)]
    rank = guess.rank(k, float(share))
    assert sum(chances[rank:]) <= 1.001e-6 < 1.002 * sum(chances[rank - 1 :])


@pytest.mark.parametrize(("num_documents", "k"), [(10**6, 10), (100, 50), (0, 100), (40, 1000)])
def test_nothing_is_sampled_where_little_can_be_saved(num_documents: int, k: int) -> None:
    assert guess.sample(num_documents, k).tolist() == []


def test_a_sample_has_every_document_at_most_once_in_ascending_order() -> None:
    rows = guess.sample(10**6, 100)
    assert len(rows) == 25_600
    assert (np.diff(rows) > 0).all()
    assert rows[0] >= 0
    assert rows[-1] < 10**6
