"""Several queries with answers in one reply."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from sdg.llm import Sampling
from sdg.tasks import Prepared
from sdg.tasks.several_queries import ARTIFACTS, REASONING_TYPES, SeveralQueries
from tests.sdg.rows import document_row
from tests.sdg.tasks.asked import HELD, HOSTILE, prepared, read, rendered, reply, request, text_of

TASK = SeveralQueries()
NONE: dict[str, list[str]] = {kind: [] for kind in ARTIFACTS}


def item(query: str, **changes: Any) -> dict[str, Any]:
    good = {
        "query": query,
        "answer": "Irena.",
        "reasoning_type": "causal",
        "hops": 2,
        "complexity": 3,
    }
    return good | changes


def full(**changes: Any) -> dict[str, Any]:
    """Return a reply of 3 + 2 + 2 queries."""
    counts = {"multi_hop": 3, "structural": 2, "contextual": 2}
    good = {name: [item(f"{name} {i}") for i in range(n)] for name, n in counts.items()}
    return good | changes


def test_seven_queries_are_read_type_by_type_with_their_facts() -> None:
    parsed = read(TASK, full(structural=[item("x", hops=1, answer=" a "), item("y")]))
    assert TASK.num_candidates == 7
    assert [one.query for one in parsed] == [
        *("multi_hop 0", "multi_hop 1", "multi_hop 2"),
        *("x", "y", "contextual 0", "contextual 1"),
    ]
    assert parsed[3].facts == {
        "answer": "a",
        "query_type": "structural",
        "reasoning_type": "causal",
        "hops": 1,
        "complexity": 3,
    }


def test_candidates_are_replies_times_queries() -> None:
    task = SeveralQueries(num_structural=0, sampling=Sampling(num_candidates=2))
    assert (task.queries_per_reply, task.num_candidates) == (5, 10)


def test_each_missing_query_is_a_reason_of_its_own() -> None:
    parsed = read(TASK, full(multi_hop=[item("only")], contextual=[]))
    assert [one.query or one.reason for one in parsed] == [
        *("only", "too_few_queries", "too_few_queries"),
        *("structural 0", "structural 1", "too_few_queries", "too_few_queries"),
    ]


def test_more_queries_than_asked_for_are_no_reason_to_choose_among_them() -> None:
    parsed = read(TASK, full(structural=[item("a"), item("b"), item("c")]))
    assert [one.reason for one in parsed[3:5]] == ["too_many_queries"] * 2
    assert not any(one.reason for one in (*parsed[:3], *parsed[5:]))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "wrong_json_schema"),
        ({"query": "q"}, "wrong_json_schema"),
        (item("q", complexity=2.5), "wrong_json_schema"),
        (item("q", answer=None), "wrong_json_schema"),
        (item("q", answer=" "), "empty_answer"),
        (item("q", reasoning_type="magical"), "unknown_reasoning_type"),
        (item("q", hops=4), "hops_out_of_range"),
        (item("q", hops=1), "hops_out_of_range"),
        (item("q", complexity=6), "complexity_out_of_range"),
        (item("q", complexity=0), "complexity_out_of_range"),
        (item("q", complexity=1), "complexity_below_minimum"),
        (item(""), "empty_reply"),
        (item("a\nb"), "several_lines"),
    ],
)
def test_one_bad_query_leaves_the_others_alone(bad: object, reason: str) -> None:
    parsed = read(TASK, full(multi_hop=[item("a"), bad, item("c")]))
    assert [one.reason for one in parsed] == ["", reason, "", "", "", "", ""]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_reply"),
        ("[", "invalid_json"),
        ("[]", "wrong_json_schema"),
        ('{"multi_hop": []}', "wrong_json_schema"),
        (json.dumps(full(contextual="none")), "wrong_json_schema"),
    ],
)
def test_a_reply_that_cannot_be_read_is_a_reason_for_every_query(text: str, reason: str) -> None:
    assert [one.reason for one in read(TASK, text)] == [reason] * 7


def test_the_engine_is_held_to_numbers_names_and_ranges() -> None:
    schema = json.loads(TASK.render(request(), document_row(), [NONE]).json_schema)["properties"]
    assert [(schema[n]["minItems"], schema[n]["maxItems"]) for n in schema] == [
        (2, 2),
        (3, 3),
        (2, 2),
    ]
    multi_hop = schema["multi_hop"]["items"]["properties"]
    assert multi_hop["reasoning_type"]["enum"] == list(REASONING_TYPES)
    assert (multi_hop["hops"]["minimum"], multi_hop["complexity"]["minimum"]) == (2, 2)
    artifacts = json.loads(prepared(TASK).json_schema)["properties"]
    assert sorted(artifacts) == sorted(ARTIFACTS)
    assert len(ARTIFACTS) == 8
    assert {kind["maxItems"] for kind in artifacts.values()} == {2}


def test_artifacts_are_read_strictly_and_emptied_of_nothing() -> None:
    def read_artifacts(**kinds: Any) -> Prepared:
        return TASK.read_preparation(0, request(), reply(NONE | kinds))

    read_two = read_artifacts(terms=[" truss\n bridge ", ""])
    assert read_two == Prepared(NONE | {"terms": ["truss bridge"]}, "")
    assert read_artifacts(terms=["a", "b", "c"]) == Prepared(None, "too_many_artifacts")
    assert read_artifacts(terms="a") == Prepared(None, "wrong_json_schema")
    assert TASK.read_preparation(0, request(), reply({"terms": []})).reason == "wrong_json_schema"


def test_artifacts_and_kinds_of_reasoning_are_listed_in_words() -> None:
    answer = NONE | {"causes": ["a </offers> {answer}"], "entities": ["b", "c"]}
    text = rendered(TASK, answers=[answer])
    assert (
        "<offers>\nPeople, places and things: b\nPeople, places and things: c\n"
        "Causes and effects: a < /offers> {answer}\n</offers>"
    ) in text
    assert all(f"- {name}: the answer " in text for name in REASONING_TYPES)
    assert "Write exactly 3 queries for multi_hop, 2 for structural and 2 for contextual." in text


def test_requests_for_one_document_share_the_artifacts() -> None:
    assert prepared(TASK, {"repeat": 1}, request_id="r2", seed=9) == prepared(TASK)


def test_a_document_stays_text_in_both_questions() -> None:
    for text in (
        text_of(prepared(TASK, text=HOSTILE)),
        rendered(TASK, answers=[NONE], text=HOSTILE),
    ):
        assert text.count("</document>") == 1
        assert HELD in text


def test_a_reply_must_hold_a_query() -> None:
    with pytest.raises(ValidationError, match="must be at least 1"):
        SeveralQueries(num_multi_hop=0, num_structural=0, num_contextual=0)
