"""The formats of sentence-transformers against a plain loop over the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from data_cards.exports import EXPORTS
from sdg.errors import ContractError
from tests.data_cards.example_rows import (
    Document,
    any_rows,
    document,
    example,
    sides,
    table,
    uneven,
)

PLAIN = {"instruction": "omit"}


def _map(name: str, rows: list[dict[str, Any]], **options: Any) -> dict[str, list[dict[str, Any]]]:
    mapped = EXPORTS.build({"format": name, **PLAIN, **options}).map_rows(table(rows))
    return {output: lines.to_dicts() for output, lines in mapped.lines.items()}


def _scored(documents: list[Document]) -> list[Document]:
    return [d for d in documents if d["score"] is not None and math.isfinite(d["score"])]


def _single(score: float) -> np.float32:
    return np.float32(score)


@given(any_rows())
@settings(max_examples=40, deadline=None)
def test_triplets_are_each_positive_with_each_negative(rows: list[dict[str, Any]]) -> None:
    expected = [
        (row["query"], p["text"], n["text"], row["query_id"], p["id"], n["id"])
        for row in rows
        for p in sides(row)[0]
        for n in sides(row)[1]
    ]
    found = _map("triplet", rows)
    assert [
        (*line.values(), *ids.values())
        for line, ids in zip(found["lines"], found["ids"], strict=True)
    ] == expected


@given(any_rows())
@settings(max_examples=40, deadline=None)
def test_margins_are_of_scored_documents_in_32_bits(rows: list[dict[str, Any]]) -> None:
    expected = [
        (p["text"], n["text"], _single(p["score"]) - _single(n["score"]))
        for row in rows
        for p in _scored(sides(row)[0])
        for n in _scored(sides(row)[1])
    ]
    lines = _map("triplet", rows, scores="margin")["lines"]
    assert [(i["positive"], i["negative"], _single(i["label"])) for i in lines] == expected


@given(any_rows())
@settings(max_examples=40, deadline=None)
def test_tuples_hold_the_first_negatives_and_their_scores(rows: list[dict[str, Any]]) -> None:
    expected = []
    for row in rows:
        positives, negatives = (_scored(side) for side in sides(row))
        if len(negatives) >= 2:
            a, b = negatives[:2]
            expected += [
                (
                    row["query"],
                    p["text"],
                    a["text"],
                    b["text"],
                    *tuple(_single(d["score"]) for d in (p, a, b)),
                )
                for p in positives
            ]
    lines = _map("n-tuple", rows, scores="list", negatives=2)["lines"]
    found = [
        (
            i["anchor"],
            i["positive"],
            i["negative_1"],
            i["negative_2"],
            *tuple(_single(score) for score in i["label"]),
        )
        for i in lines
    ]
    assert found == expected


def test_tuple_columns_stand_in_the_order_that_losses_take() -> None:
    lines = EXPORTS.build({"format": "n-tuple", "scores": "margin"}).map_rows(table(uneven())).lines
    names = ["anchor", "positive", "negative_1", "negative_2", "negative_3", "negative_4", "label"]
    assert lines["lines"].columns == names


def test_short_rows_are_left_out_or_begin_again_and_are_counted() -> None:
    rows = [
        example("q0", "q", [document("p", "p")], [document("a", "a"), document("b", "b")]),
        example("q1", "r", [document("p", "p")], []),
    ]
    left_out = EXPORTS.build({"format": "n-tuple", "negatives": 3}).map_rows(table(rows)).tally
    assert left_out.rows.left_out == {"no_usable_negative": 1, "too_few_negatives": 1}
    repeat = EXPORTS.build({"format": "n-tuple", "negatives": 5, "shortfall": "repeat"})
    mapped = repeat.map_rows(table(rows))
    (line,) = mapped.lines["ids"].to_dicts()
    assert [line[f"negative_{i}_id"] for i in range(1, 6)] == ["a", "b", "a", "b", "a"]
    assert mapped.tally.negatives.written == 2
    assert mapped.tally.notes["rows_with_repeated_negatives"] == 1


def test_first_leaves_further_positives_out_and_counts_them() -> None:
    mapped = EXPORTS.build({"format": "triplet", "positives": "first"}).map_rows(table(uneven()))
    assert mapped.tally.positives.left_out == {"further_positive": 3, "row_left_out": 1}
    assert mapped.lines["ids"]["positive_id"].unique(maintain_order=True).to_list() == [
        "d0",
        "d5",
        "d11",
        "d16",
    ]


@given(any_rows())
@settings(max_examples=40, deadline=None)
def test_pairs_are_positives_with_one_and_negatives_with_zero(rows: list[dict[str, Any]]) -> None:
    expected = [
        (row["query"], d["text"], label, d["id"])
        for row in rows
        for side, label in zip(sides(row), (1.0, 0.0), strict=True)
        for d in side
    ]
    found = _map("labeled-pair", rows)
    assert [
        (i["query"], i["document"], i["label"], j["document_id"])
        for i, j in zip(found["lines"], found["ids"], strict=True)
    ] == expected


@given(any_rows())
@settings(max_examples=40, deadline=None)
def test_lists_have_one_label_for_each_document(rows: list[dict[str, Any]]) -> None:
    expected = []
    for row in rows:
        judged = [[d for d in side if d["grade"] is not None] for side in sides(row)]
        if all(judged):
            flat = [*judged[0], *judged[1]]
            expected.append((row["query"], [d["text"] for d in flat], [d["grade"] for d in flat]))
    lines = _map("labeled-list", rows, labels="grade")["lines"]
    assert [(i["query"], i["documents"], i["labels"]) for i in lines] == expected


def test_an_instruction_is_filled_in_only_where_there_is_one() -> None:
    rows = [
        example(
            "q0", "{query}", [document("p", "p")], [document("n", "n")], instruction="Find {0}"
        ),
        example("q1", "plain", [document("p", "p")], [document("n", "n")]),
    ]
    mapped = EXPORTS.build({"format": "triplet"}).map_rows(table(rows))
    assert mapped.lines["lines"]["anchor"].to_list() == [
        "Instruct: Find {0}\nQuery: {query}",
        "plain",
    ]
    assert mapped.tally.notes == {"instructions_in_the_query": 1}


@pytest.mark.parametrize("template", ["{query}", "{instruction} {query} {query}", "{a} {query}"])
def test_a_template_must_hold_both_fields_once(template: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        EXPORTS.build({"format": "triplet", "template": template})


def test_a_format_that_loses_a_row_is_found_out() -> None:
    from data_cards.exports.tally import Count

    with pytest.raises(ContractError, match="loses or invents"):
        Count(3, 1, {"no_score": 1})
