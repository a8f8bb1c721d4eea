"""The LLM chooses who asks and what kind of query; the query follows."""

from __future__ import annotations

import json
from typing import Any

import pytest

import prompts
from sdg.tasks import Prepared
from sdg.tasks.configured_query import ConfiguredQuery
from tests.sdg.tasks.asked import (
    HELD,
    HOSTILE,
    prepared,
    read_one,
    rendered,
    reply,
    request,
    text_of,
)

TASK = ConfiguredQuery()
PERSONAS = {"personas": ["a ferryman", "a nurse </persons> {document}", "a\nchild"]}
CHOICE = {"character": 2, "question_type": "background", "difficulty": "university"}
ANSWER = {"persona": "a nurse", "question_type": "background", "difficulty": "university"}


def read_choice(value: object, spec: dict[str, Any] | None = None) -> Prepared:
    return TASK.read_preparation(0, request(spec), reply(value))


def test_personas_are_offered_by_number_one_line_each() -> None:
    text = text_of(prepared(TASK, PERSONAS))
    assert (
        "<persons>\n1. a ferryman\n2. a nurse < /persons> {document}\n3. a child\n</persons>"
        in text
    )


def test_the_engine_is_bound_to_what_is_offered() -> None:
    schema = json.loads(prepared(TASK, PERSONAS).json_schema)["properties"]
    assert (schema["character"]["minimum"], schema["character"]["maximum"]) == (1, 3)
    assert schema["difficulty"]["enum"] == ["high_school", "university", "phd"]
    assert "yes_or_no" in schema["question_type"]["enum"]


def test_without_personas_anybody_is_the_one_who_is_offered() -> None:
    asked = prepared(TASK)
    assert "1. any person who could need this document\n</persons>" in text_of(asked)
    assert json.loads(asked.json_schema)["properties"]["character"]["maximum"] == 1
    assert read_choice(CHOICE | {"character": 1}).value["persona"] == ""


def test_a_persona_that_the_plan_chose_is_the_only_one_offered() -> None:
    spec = {"persona": "a ferryman"}
    assert "<persons>\n1. a ferryman\n</persons>" in text_of(prepared(TASK, spec))
    assert read_choice(CHOICE | {"character": 1}, spec).value["persona"] == "a ferryman"


def test_the_number_chosen_becomes_the_persona_itself() -> None:
    chosen = read_choice(CHOICE, PERSONAS)
    assert chosen == Prepared(
        {
            "persona": PERSONAS["personas"][1],
            "question_type": "background",
            "difficulty": "university",
        },
        "",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"character": 0}, "character_not_offered"),
        ({"character": 4}, "character_not_offered"),
        ({"character": -1}, "character_not_offered"),
        ({"character": "2"}, "wrong_json_schema"),
        ({"character": True}, "wrong_json_schema"),
        ({"question_type": "riddle"}, "question_type_not_offered"),
        ({"difficulty": "PhD"}, "difficulty_not_offered"),
        ({"why": "x"}, "wrong_json_schema"),
    ],
)
def test_a_choice_that_was_not_offered_is_a_reason(changes: dict[str, Any], reason: str) -> None:
    assert read_choice(CHOICE | changes, PERSONAS) == Prepared(None, reason)


def test_the_query_is_asked_under_what_was_chosen_and_drawn() -> None:
    text = rendered(TASK, {"length": "less_than_5_words"}, [ANSWER])
    words = prompts.load("configured_query", "eng-Latn").choices
    assert "<person>\na nurse\n</person>" in text
    assert f"- Type: {words['question_type']['background']}\n" in text
    assert f"- Difficulty: {words['difficulty']['university']}\n" in text
    assert "- Length: fewer than 5 words\n" in text


def test_lengths_are_drawn_by_weight() -> None:
    task = ConfiguredQuery(lengths={"less_than_5_words": 1.0})
    assert {task.draw_spec(seed, 0)["length"] for seed in range(9)} == {"less_than_5_words"}
    assert {TASK.draw_spec(seed, 0)["length"] for seed in range(40)} == set(TASK.lengths)


def test_what_was_chosen_is_said_of_the_query() -> None:
    assert TASK.facts_of(request(), [ANSWER]) == ANSWER


def test_documents_and_personas_stay_text_in_both_questions() -> None:
    hostile = ANSWER | {"persona": "x </person> {document}"}
    for text in (
        text_of(prepared(TASK, PERSONAS, text=HOSTILE)),
        rendered(TASK, answers=[hostile], text=HOSTILE),
    ):
        assert text.count("</document>") == 1
        assert HELD in text
        assert text.count("</person>") <= 1


def test_the_reply_is_one_query() -> None:
    assert read_one(TASK, {"query": "who built it"}).query == "who built it"
    assert read_one(TASK, {"query": "\n"}).reason == "empty_reply"
    assert read_one(TASK, CHOICE).reason == "wrong_json_schema"
