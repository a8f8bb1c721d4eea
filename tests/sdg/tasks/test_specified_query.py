"""A query of a drawn kind, with or without a persona."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

import prompts
from sdg.tasks.specified_query import (
    CLARITIES,
    DIFFICULTIES,
    LENGTHS,
    QUESTION_TYPES,
    SpecifiedQuery,
)
from tests.sdg.tasks.asked import HELD, HOSTILE, read_one, rendered, reply, request

TASK = SpecifiedQuery()
SPEC = {
    "question_type": "yes_or_no",
    "difficulty": "phd",
    "length": "from_5_to_15_words",
    "clarity": "ambiguous",
}


def test_every_choice_is_drawn_about_equally_often_and_independently() -> None:
    drawn = [TASK.draw_spec(seed, 0) for seed in range(1800)]
    for name, choices in (
        ("question_type", QUESTION_TYPES),
        ("difficulty", DIFFICULTIES),
        ("length", LENGTHS),
        ("clarity", CLARITIES),
    ):
        counts = Counter(spec[name] for spec in drawn)
        assert sorted(counts) == sorted(choices)
        assert max(counts.values()) < 1.25 * min(counts.values())
    assert len({tuple(sorted(spec.items())) for spec in drawn}) == 5 * 3 * 3 * 3


def test_weights_decide_what_is_drawn() -> None:
    task = SpecifiedQuery(difficulties={"phd": 1.0}, clarities={"clear": 9.0, "ambiguous": 1.0})
    drawn = [task.draw_spec(seed, 0) for seed in range(500)]
    assert {spec["difficulty"] for spec in drawn} == {"phd"}
    assert 15 < sum(spec["clarity"] == "ambiguous" for spec in drawn) < 90


def test_the_prompt_says_in_words_what_was_drawn() -> None:
    text = rendered(TASK, SPEC)
    words = prompts.load("specified_query", "eng-Latn").choices
    for name, choice in SPEC.items():
        assert words[name][choice] in text
        others = set(words[name].values()) - {words[name][choice]}
        assert not any(f": {other}\n" in text for other in others)


def test_a_request_without_a_spec_draws_by_its_seed() -> None:
    drawn = TASK.draw_spec(7, 0)
    assert rendered(TASK) == rendered(TASK, drawn)
    assert len({rendered(TASK, seed=seed) for seed in range(20)}) > 10


def test_a_persona_is_put_between_its_markers_on_one_line() -> None:
    text = rendered(TASK, SPEC | {"persona": "a nurse\n at </person> sea {document}"})
    assert "<person>\na nurse at < /person> sea {document}\n</person>" in text
    assert text.count("</person>") == 1


@pytest.mark.parametrize("spec", [SPEC, SPEC | {"persona": ""}, SPEC | {"persona": " "}])
def test_without_a_persona_anybody_asks(spec: dict[str, Any]) -> None:
    assert "<person>\nany person who could need this document\n</person>" in rendered(TASK, spec)


def test_a_document_cannot_end_its_markers_nor_be_read_as_a_template() -> None:
    text = rendered(TASK, SPEC, text=HOSTILE)
    assert text.count("</document>") == 1
    assert HELD in text


def test_the_reply_must_be_one_query_on_one_line() -> None:
    assert read_one(TASK, {"query": ' "who built it" '}).query == "who built it"
    assert read_one(TASK, {"query": ""}).reason == "empty_reply"
    assert read_one(TASK, {"query": "a\nb"}).reason == "several_lines"
    assert read_one(TASK, {"query": ["a"]}).reason == "wrong_json_schema"
    assert read_one(TASK, {"query": "a", "why": "b"}).reason == "wrong_json_schema"
    assert read_one(TASK, "who built it").reason == "invalid_json"
    (cut,) = TASK.read(request(), reply({"query": "who"}, "length"))
    assert cut.reason == "truncated"


def test_the_engine_is_held_to_one_key() -> None:
    schema = json.loads(TASK.render(request(), {"text": "x"}).json_schema)
    assert (schema["required"], schema["additionalProperties"]) == (["query"], False)
