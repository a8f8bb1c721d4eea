"""Rows and the documents that an LLM wrote for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.schemas import GRADES, LINKS, NEGATIVES, POSITIVES, table_of
from sdg.written_rows import (
    NO_RANK,
    WithWritten,
    add_written,
    grades_of,
    negative_links,
    with_further_positives,
)
from tests.sdg.rows import document_row, documents_of

TEXTS = {
    "p": "The footbridge of Brell was built by the miller",
    "near": "the FOOTBRIDGE of Brell, was built by the miller.",
    "n1": "The footbridge of Brell was painted by the mayor",
    "n2": "The footbridge of Orla was built by a monk",
    "m1": "Herring is salted in Orla",
    "m2": "Bells are cast in Wexby",
}


def links_of(*rows: tuple[str, str, str] | tuple[str, str, str, int]) -> pa.Table:
    """Return LINKS of (query, document, role[, grade])."""
    return table_of((dict(zip(LINKS.names, (*row, None)[:4], strict=True)) for row in rows), LINKS)


def positives_of(**lists: Sequence[str]) -> pa.Table:
    return table_of(
        (
            {
                "query_id": query_id,
                "positive_ids": list(ids),
                "original_positive_id": ids[0],
                "positive_was_relabelled": False,
            }
            for query_id, ids in lists.items()
        ),
        POSITIVES,
    )


def mined(query_id: str = "q", **fields: Any) -> dict[str, Any]:
    """Return a NEGATIVES row with two mined negatives."""
    return {
        "query_id": query_id,
        "positive_ids": ["p"],
        "positive_scores": [0.9],
        "negative_ids": ["m1", "m2"],
        "negative_scores": [0.5, 0.25],
        "negative_ranks": [3, 7],
        "negative_sources": ["dense:use", "bm25"],
        "dropped": [],
        "search_depth": 10,
        "docs_above": 0,
    } | fields


def add(
    links: pa.Table, *rows: dict[str, Any], policy: Any = "beside", limit: int = 4, most: int = 4
) -> WithWritten:
    documents = [document_row(i, t, source="generated:m") for i, t in TEXTS.items()]
    pairs = zip(links["query_id"].to_pylist(), links["doc_id"].to_pylist(), strict=True)
    return add_written(
        table_of(rows or [mined()], NEGATIVES),
        links,
        documents_of(*documents),
        dict.fromkeys(pairs, 0.75),
        policy=policy,
        limit=limit,
        at_most=most,
    )


def test_further_positives_come_after_the_row_s_own_each_once() -> None:
    links = links_of(
        ("q1", "d3", "positive"),
        ("q1", "d1", "positive"),
        ("q1", "d3", "positive"),
        ("q1", "n", "negative"),
        ("q2", "d4", "positive"),
        ("elsewhere", "d5", "positive"),
    )
    found = with_further_positives(positives_of(q1=["d1"], q2=["d2"], q3=["d1"]), links)
    assert found["positive_ids"].to_pylist() == [["d1", "d3"], ["d2", "d4"], ["d1"]]
    assert found.schema.equals(POSITIVES)


def test_a_relabelled_row_with_further_positives_keeps_the_one_it_had() -> None:
    rows = positives_of(q=["p"], r=["p"])
    place = rows.schema.get_field_index("positive_ids")
    lists = pa.array([["better"], ["better"]], POSITIVES.field("positive_ids").type)
    relabelled = rows.set_column(place, POSITIVES.field("positive_ids"), lists)
    found = with_further_positives(relabelled, links_of(("q", "companion", "positive")))
    assert found["positive_ids"].to_pylist() == [["better", "p", "companion"], ["better"]]


def test_what_answers_the_original_answers_its_paraphrase_and_not_the_reverse() -> None:
    links = links_of(
        ("q", "d2", "positive"), ("q", "n", "negative"), ("paraphrase", "d3", "positive")
    )
    table = positives_of(q=["d1"], paraphrase=["d1"])
    found = with_further_positives(table, links, {"paraphrase": "q"})
    assert found["positive_ids"].to_pylist() == [["d1", "d2"], ["d1", "d3", "d2"]]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("wxyz")), max_size=8),
    st.integers(1, 3),
)
def test_further_positives_do_not_depend_on_the_cut(
    pairs: list[tuple[str, str]], size: int
) -> None:
    table = positives_of(a=["w"], b=["x"], c=["v"])
    links = links_of(*((query, doc, "positive") for query, doc in pairs))
    whole = with_further_positives(table, links, {"c": "a"})
    cut = [
        with_further_positives(table.slice(at, size), links, {"c": "a"}) for at in range(0, 3, size)
    ]
    assert pa.concat_tables(cut).to_pylist() == whole.to_pylist()


def test_written_negatives_come_first_and_the_easiest_mined_one_makes_room() -> None:
    done = add(links_of(("q", "n2", "negative"), ("q", "n1", "negative")), limit=3)
    (row,) = done.negatives.to_pylist()
    assert row["negative_ids"] == ["n2", "n1", "m1"]
    assert row["negative_scores"] == [0.75, 0.75, 0.5]
    assert row["negative_ranks"] == [NO_RANK, NO_RANK, 3]
    assert row["negative_sources"] == ["generated:m", "generated:m", "dense:use"]
    assert row["search_depth"] == 12
    assert done.extra == {"written_added": 2, "written_is_positive": 0, "written_over_limit": 0}


def test_instead_leaves_only_written_ones_where_there_are_any() -> None:
    links = links_of(("q", "n1", "negative"))
    done = add(links, mined(), mined("other"), policy="instead")
    assert done.negatives["negative_ids"].to_pylist() == [["n1"], ["m1", "m2"]]


@pytest.mark.parametrize(
    ("doc_id", "positive_ids"), [("p", ["p"]), ("near", ["p"]), ("n1", ["m2", "n1"])]
)
def test_a_positive_of_the_finished_row_or_nearly_one_is_never_its_negative(
    doc_id: str, positive_ids: list[str]
) -> None:
    scores = [0.9] * len(positive_ids)
    row = mined(positive_ids=positive_ids, positive_scores=scores, negative_ids=["m1", "m2"])
    done = add(links_of(("q", doc_id, "negative")), row)
    assert done.negatives["negative_ids"].to_pylist() == [["m1", "m2"]]
    assert done.extra["written_is_positive"] == 1


def test_a_written_negative_that_was_mined_as_well_stands_once() -> None:
    row = mined(negative_ids=["m1", "n1"])
    done = add(links_of(("q", "n1", "negative"), ("q", "n1", "negative")), row)
    assert done.negatives["negative_ids"].to_pylist() == [["n1", "m1"]]
    assert done.negatives["negative_scores"].to_pylist() == [[0.75, 0.5]]


def test_more_than_at_most_are_counted_and_left_out() -> None:
    done = add(links_of(("q", "n1", "negative"), ("q", "n2", "negative")), most=1)
    assert done.negatives["negative_ids"].to_pylist() == [["n1", "m1", "m2"]]
    assert done.extra == {"written_added": 1, "written_is_positive": 0, "written_over_limit": 1}


def test_negative_links_are_those_of_the_rows() -> None:
    links = links_of(("q", "n1", "negative"), ("q", "p", "positive"), ("other", "n2", "negative"))
    assert negative_links(table_of([mined()], NEGATIVES), links)["doc_id"].to_pylist() == ["n1"]


def test_a_judge_s_grade_stands_before_the_one_that_was_asked_for() -> None:
    links = links_of(("q", "a", "positive", 3), ("q", "b", "negative", 0), ("q", "c", "negative"))
    judged = table_of([{"query_id": "q", "doc_id": "b", "grade": 2}], GRADES)
    found = grades_of(links, judged, positives_of(q=["a"]))
    assert sorted(map(str, found.to_pylist())) == [
        "{'query_id': 'q', 'doc_id': 'a', 'grade': 3}",
        "{'query_id': 'q', 'doc_id': 'b', 'grade': 2}",
    ]


def test_the_grade_of_a_negative_says_nothing_of_what_became_a_positive() -> None:
    links = links_of(
        ("q", "a", "negative", 0), ("q", "b", "negative", 1), ("r", "a", "negative", 0)
    )
    positives = positives_of(q=["p", "a"], r=["p"])
    found = grades_of(links, GRADES.empty_table(), positives)
    assert [tuple(row.values()) for row in found.to_pylist()] == [("q", "b", 1), ("r", "a", 0)]
