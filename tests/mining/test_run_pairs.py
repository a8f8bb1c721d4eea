"""The run put together from shards: their cut and their order do not matter."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mining.pair_rules import Pairs, judge_pairs
from mining.pair_rules.easiness import Easiness
from mining.pair_rules.in_document_duplicate import InDocumentDuplicate
from mining.pair_rules.near_duplicate import NearDuplicateQuery
from mining.run_pairs import (
    gathered_vectors,
    lost_originals,
    pair_rows,
    texts_of,
    with_parents,
)
from sdg.errors import ContractError
from tests.sdg.rows import candidates_of, candidates_row, queries_of, query_row

_RNG = np.random.default_rng(9)
COUNT = 24
WORDS = ["stone", "bridge", "river", "market", "town"]
QUERIES = queries_of(
    *(
        query_row(
            f"q{i:02}",
            " ".join(_RNG.choice(WORDS, 3)),
            source_doc_id=f"d{i % 4}",
            request_id=f"r{i // 2}",
            generator="" if i % 5 == 0 else "m",
        )
        for i in range(COUNT)
    )
)
CANDIDATES = candidates_of(
    *(candidates_row(f"q{i:02}", source_score=float(_RNG.random())) for i in range(COUNT))
)
_POINTS = _RNG.normal(size=(COUNT, 3)).astype(np.float32)
_POINTS /= np.linalg.norm(_POINTS, axis=1, keepdims=True)
VECTORS = pa.table(
    {
        "query_id": QUERIES["query_id"],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(_POINTS.ravel()), 3),
    }
)
RULES = [
    Easiness(min_cell=5),
    InDocumentDuplicate(cosine=0.6),
    NearDuplicateQuery(),
    NearDuplicateQuery(jaccard=None, cosine=0.8),
]


def _cut(table: pa.Table, order: list[int], cuts: list[int]) -> list[pa.Table]:
    shuffled = table.take(pa.array(order))
    edges = [0, *sorted(cuts), COUNT]
    return [shuffled.slice(a, b - a) for a, b in pairwise(edges)]


def _verdicts(order: list[int], cuts: list[int], folder: Path) -> list[dict[str, str]]:
    parts = [_cut(table, order, cuts) for table in (QUERIES, CANDIDATES, VECTORS)]
    rows = pair_rows(parts[0], parts[1], best_of=True)
    with gathered_vectors(parts[2], rows["query_id"], folder) as vectors:
        found: list[dict[str, str]] = judge_pairs(Pairs(rows, vectors), RULES).verdicts.to_pylist()
    return found


@hypothesis_settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(COUNT)), cuts=st.lists(st.integers(0, COUNT), max_size=4))
def test_verdicts_depend_neither_on_the_cut_nor_on_the_order_of_shards(
    order: list[int], cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    plain = _verdicts(list(range(COUNT)), [], folder)
    assert len({v["reason"] for v in plain}) == 3
    assert _verdicts(order, cuts, folder) == plain


def test_generated_queries_of_a_request_are_tries_if_one_of_them_will_stay() -> None:
    rows = pair_rows([QUERIES], [CANDIDATES], best_of=True)
    assert rows["try_of"][:4].to_list() == ["q00", "r0", "r1", "r1"]
    assert pair_rows([QUERIES], [CANDIDATES], best_of=False)["try_of"][2] == "q02"


def test_vectors_come_in_the_order_asked_and_leave_no_file(tmp_path: Path) -> None:
    ids = pl.Series(["q03", "q07", "q11"])
    with gathered_vectors([VECTORS.slice(5), VECTORS.slice(0, 5)], ids, tmp_path) as vectors:
        np.testing.assert_array_equal(vectors, _POINTS[[3, 7, 11]])
        assert list(tmp_path.iterdir()) == []


def test_a_query_without_a_score_or_a_vector_is_a_broken_contract(tmp_path: Path) -> None:
    for candidates in (CANDIDATES.slice(1), pa.concat_tables([CANDIDATES, CANDIDATES.slice(0, 1)])):
        with pytest.raises(ContractError, match="must have one cosine"):
            pair_rows([QUERIES], [candidates], best_of=True)
    with (
        pytest.raises(ContractError, match="must have one vector, but 1 were found"),
        gathered_vectors([VECTORS], pl.Series(["q03", "zz"]), tmp_path),
    ):
        pass


def test_parents_are_those_of_the_source_documents() -> None:
    rows = pair_rows([QUERIES], [CANDIDATES], best_of=True)
    documents = pa.table(
        {"doc_id": ["d3", "d2", "d1", "d0"], "parent_id": ["p1", "p1", "p0", "p0"]}
    )
    assert with_parents(rows, documents)["parent_id"][:4].to_list() == ["p0", "p0", "p1", "p1"]
    with pytest.raises(ContractError, match="6 of 24 queries have none, the first being 'd3'"):
        with_parents(rows, documents.slice(1))


def test_lost_originals_are_those_that_are_no_query_of_the_run() -> None:
    queries = queries_of(
        query_row("a"),
        query_row("b", paraphrase_of="a"),
        query_row("c", paraphrase_of="gone"),
        query_row("d", paraphrase_of="gone"),
    )
    scores = candidates_of(*(candidates_row(q) for q in "abcd"))
    assert lost_originals(pair_rows([queries], [scores], best_of=True)) == ["gone"]
    assert texts_of([queries, queries.slice(0, 0)], ["b", "x"]) == {"b": query_row("b")["query"]}
