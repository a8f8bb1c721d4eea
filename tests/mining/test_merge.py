"""Several miners, one list: held against fusion written naively."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mining.corpus import CorpusView
from mining.indexes import INDEXES
from mining.merge import FusionConfig, fuse, merge
from mining.proposals import Proposals
from mining.retrieve import retrieve
from sdg.errors import ContractError
from tests.mining import visible
from tests.mining.visible import at, document

NAN = float("nan")


def _proposals(source: str, lists: list[list[int]]) -> Proposals:
    """Return a miner whose score of the document at rank r is -r."""
    width = max((len(one) for one in lists), default=0)
    rows = [one + [-1] * (width - len(one)) for one in lists]
    scores = [[-float(r) for r in range(len(one))] + [NAN] * (width - len(one)) for one in lists]
    shape = (len(lists), width)
    return Proposals(
        source,
        np.array(rows, np.int64).reshape(shape),
        np.array(scores, np.float32).reshape(shape),
    )


def test_a_document_that_two_miners_know_comes_first_and_keeps_both_ranks() -> None:
    merged = merge(
        [_proposals("dense:a", [[4, 7]]), _proposals("bm25", [[9, 7, 2]])], np.arange(10)
    )
    assert merged.rows.tolist() == [[7, 4, 9, 2]]
    assert merged.fused[0] == pytest.approx([1 / 62 + 1 / 62, 1 / 61, 1 / 61, 1 / 63])
    assert merged.ranks[:, 0].tolist() == [[1, 0, -1, -1], [1, -1, 0, 2]]
    assert merged.scores[0, 0] == pytest.approx([-1.0, 0.0, NAN, NAN], nan_ok=True)


def test_between_equal_sums_the_id_decides_and_not_the_row() -> None:
    id_order = np.arange(10)[::-1]
    merged = merge([_proposals("a", [[4]]), _proposals("b", [[9]])], id_order)
    assert merged.rows.tolist() == [[9, 4]]


def test_a_query_that_nobody_has_an_answer_for_is_padding_only() -> None:
    merged = merge([_proposals("a", [[], [3]]), _proposals("b", [[], []])], np.arange(5))
    assert merged.rows.tolist() == [[-1], [3]]
    assert np.isnan(merged.fused[0]).all()
    assert [one.rows.tolist() for one in merged.proposals()] == [[[-1], [3]], [[], []]]


def test_cutting_leaves_each_miner_its_own_order_without_gaps() -> None:
    merged = merge([_proposals("a", [[1, 2, 3]]), _proposals("b", [[3, 9, 2]])], np.arange(10))
    a, b = merged.first(2).proposals()
    assert (a.source, b.source) == ("a", "b")
    assert (a.rows.tolist(), a.scores.tolist()) == ([[2, 3]], [[-1.0, -2.0]])
    assert (b.rows.tolist(), b.scores.tolist()) == ([[3, 2]], [[0.0, -2.0]])


def test_the_table_names_every_miner_that_proposes_a_document() -> None:
    merged = merge([_proposals("a", [[1], []]), _proposals("b", [[1, 0], [2]])], np.arange(3))
    table = merged.table(["q1", "q2"], pa.array(["x", "y", "z"], pa.large_string()))
    assert table.to_pylist() == [
        {"query_id": "q1", "doc_id": "y", "source": "a", "rank": 0, "score": 0.0},
        {"query_id": "q1", "doc_id": "y", "source": "b", "rank": 0, "score": 0.0},
        {"query_id": "q1", "doc_id": "x", "source": "b", "rank": 1, "score": -1.0},
        {"query_id": "q2", "doc_id": "z", "source": "b", "rank": 0, "score": 0.0},
    ]


@given(
    lists=st.lists(
        st.lists(st.lists(st.integers(0, 12), unique=True, max_size=6), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    ),
    constant=st.sampled_from([0.0, 1.0, 60.0]),
)
def test_merging_equals_fusion_written_naively(
    lists: list[list[list[int]]], constant: float
) -> None:
    id_order = np.random.default_rng(1).permutation(13)
    miners = [_proposals(f"m{number}", own) for number, own in enumerate(lists)]
    merged = merge(miners, id_order, constant=constant)
    for query in range(3):
        sums: dict[int, float] = {}
        for own in lists:
            for rank, row in enumerate(own[query]):
                sums[row] = sums.get(row, 0.0) + 1.0 / (constant + 1.0 + rank)
        expected = sorted(sums, key=lambda row: (-sums[row], id_order[row]))
        assert merged.rows[query, : len(sums)].tolist() == expected
        assert (merged.rows[query, len(sums) :] == -1).all()
        assert merged.fused[query, : len(sums)].tolist() == [sums[row] for row in expected]
        for number, own in enumerate(lists):
            ranks = [own[query].index(row) if row in own[query] else -1 for row in expected]
            assert merged.ranks[number, query, : len(sums)].tolist() == ranks
    again = merged.proposals()
    for one, other in zip(miners, again, strict=True):
        assert np.array_equal(one.rows, other.rows)
        assert np.array_equal(one.scores, other.scores, equal_nan=True)


@pytest.mark.parametrize(
    "proposals",
    [
        [],
        [_proposals("a", [[1]]), _proposals("a", [[2]])],
        [_proposals("a", [[1]]), _proposals("b", [[1], [2]])],
    ],
    ids=["no miner", "the same name twice", "different queries"],
)
def test_miners_that_do_not_go_together_are_refused(proposals: list[Proposals]) -> None:
    with pytest.raises(ContractError, match="different miners for the same queries"):
        merge(proposals, np.arange(5))


@pytest.mark.parametrize(
    ("rows", "scores"),
    [([[1, 2]], [[0.5]]), ([[1, -1]], [[0.5, 0.4]]), ([[-1, 1]], [[NAN, 0.5]])],
    ids=["other shapes", "a score for padding", "padding before a document"],
)
def test_proposals_with_misplaced_padding_are_refused(
    rows: list[list[int]], scores: list[list[float]]
) -> None:
    with pytest.raises(ContractError, match="'x' must be"):
        Proposals("x", np.array(rows), np.array(scores, np.float32))


def test_fusion_cuts_to_the_best_of_all_and_union_cuts_nothing() -> None:
    miners = [_proposals("a", [[1, 2, 3]]), _proposals("b", [[3, 9, 2]])]
    assert fuse(miners, np.arange(10), FusionConfig()) == miners
    a, b = fuse(miners, np.arange(10), FusionConfig(method="rrf", top_k=1))
    assert (a.rows.tolist(), b.rows.tolist()) == ([[3]], [[3]])
    near = replace(miners[1], exempt=frozenset({"same_parent"}))
    fused = fuse([miners[0], near], np.arange(10), FusionConfig(method="rrf"))
    assert [one.exempt for one in fused] == [frozenset(), frozenset({"same_parent"})]


@pytest.fixture
def view(tmp_path: Path) -> CorpusView:
    rows = [document(f"d{i}", f"text {i}") for i in range(4)]
    return visible.corpus(tmp_path, rows, {f"text {i}": at(10 * i) for i in range(4)})


def test_what_was_retrieved_is_one_more_miner(view: CorpusView) -> None:
    queries = visible.queries({"q1": at(0), "q2": at(30)}, ["d0", "d3"])
    candidates = retrieve(queries, view, INDEXES.build({"index": "exact"}), top_k=2)
    found = Proposals.from_candidates(candidates, "dense:given", view)
    assert found.rows.tolist() == [[0, 1], [3, 2]]
    assert found.scores[1] == pytest.approx([1.0, np.cos(np.radians(10))])


def test_proposals_are_read_back_as_they_were_written(view: CorpusView) -> None:
    miners = [_proposals("a", [[1], [], [2, 3]]), _proposals("b", [[1, 0], [2], []])]
    table = merge(miners, view.id_order).table(["x", "y", "z"], view.doc_ids)
    for miner in miners:
        again = Proposals.from_scores(table, miner.source, ["x", "y", "z"], view)
        assert np.array_equal(again.rows, miner.rows)
        assert np.array_equal(again.scores, miner.scores, equal_nan=True)
    other = Proposals.from_scores(table, "a", ["z", "unknown", "x"], view)
    assert other.rows.tolist() == [[2, 3], [-1, -1], [1, -1]]
    assert Proposals.from_scores(table, "nobody", ["x"], view).rows.shape == (1, 0)
