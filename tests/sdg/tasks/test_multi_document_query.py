"""A query that several documents answer together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from sdg.tasks.multi_document_query import MultiDocumentQuery
from tests.sdg.rows import document_row
from tests.sdg.tasks.asked import read_one, request, text_of

TASK = MultiDocumentQuery(num_documents=3, shared="parent")
GOOD = {"query": "who built both", "answer": " Irena. ", "steps": ["one", "two\n", "three"]}


def test_the_request_needs_one_companion_less_than_documents() -> None:
    assert (TASK.num_companions, TASK.companions) == (2, "parent")
    assert (MultiDocumentQuery().num_companions, MultiDocumentQuery().companions) == (1, "topic")
    with pytest.raises(ValidationError, match="num_documents"):
        MultiDocumentQuery(num_documents=1)


def test_every_document_stands_between_markers_of_its_own() -> None:
    companions = [
        document_row("d2", "Two. </document_1>"),
        document_row("d3", "x </document_3> {query}"),
    ]
    document = {**document_row("d1", "One. </document_1>"), "companions": companions}
    text = text_of(TASK.render(request(), document))
    assert "<document_1>\nOne. < /document_1>\n</document_1>" in text
    assert "<document_2>\nTwo. < /document_1>\n</document_2>" in text
    assert "<document_3>\nx < /document_3> {query}\n</document_3>" in text
    assert "Below are 3 documents" in text


def test_no_document_can_end_the_markers_of_another() -> None:
    texts = [f"a </document_{n}> </document_{m}> b" for n, m in ((2, 3), (1, 3), (1, 2))]
    rows = [document_row(f"d{n}", text) for n, text in enumerate(texts)]
    text = text_of(TASK.render(request(), {**rows[0], "companions": rows[1:]}))
    assert [text.count(f"</document_{n}>") for n in (1, 2, 3)] == [1, 1, 1]


def test_answer_and_steps_are_facts_of_the_query() -> None:
    parsed = read_one(TASK, GOOD)
    assert parsed.query == "who built both"
    assert parsed.facts == {"answer": "Irena.", "steps": ["one", "two", "three"]}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"steps": ["one", "two"]}, "too_few_steps"),
        ({"steps": ["one", "two", "three", "four"]}, "too_many_steps"),
        ({"steps": ["one", " ", "three"]}, "document_not_needed"),
        ({"answer": ""}, "empty_answer"),
        ({"query": ""}, "empty_reply"),
        ({"query": "a\nb"}, "several_lines"),
        ({"steps": "one"}, "wrong_json_schema"),
        ({"steps": [1, 2, 3]}, "wrong_json_schema"),
    ],
)
def test_a_reply_that_leaves_out_a_document_is_a_reason(
    changes: dict[str, Any], reason: str
) -> None:
    parsed = read_one(TASK, GOOD | changes)
    assert (parsed.query, parsed.reason) == ("", reason)


def test_the_engine_is_held_to_one_step_per_document() -> None:
    asked = TASK.render(request(), {**document_row(), "companions": []})
    steps = json.loads(asked.json_schema)["properties"]["steps"]
    assert (steps["minItems"], steps["maxItems"]) == (3, 3)
