"""Search terms as a list."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from pydantic import ValidationError

from sdg.tasks.keyword_query import KeywordQuery
from tests.sdg.rows import document_row
from tests.sdg.tasks.asked import HELD, HOSTILE, read_one, rendered, request

TASK = KeywordQuery()
THREE = {"num_terms": 3}


def test_every_number_of_terms_is_drawn_about_equally_often() -> None:
    counts = Counter(TASK.draw_spec(seed, 0)["num_terms"] for seed in range(1000))
    assert sorted(counts) == [2, 3, 4, 5, 6]
    assert min(counts.values()) > 150
    assert {
        KeywordQuery(min_terms=4, max_terms=4).draw_spec(s, 0)["num_terms"] for s in (1, 2)
    } == {4}


def test_the_number_drawn_is_asked_for_and_the_engine_held_to_it() -> None:
    assert "Number of terms: exactly 3\n" in rendered(TASK, THREE)
    asked = TASK.render(request(THREE), document_row())
    terms = json.loads(asked.json_schema)["properties"]["terms"]
    assert (terms["minItems"], terms["maxItems"]) == (3, 3)


def test_terms_are_joined_in_their_order() -> None:
    parsed = read_one(TASK, {"terms": [" Brell", '"bridge of sighs"', "1902"]}, THREE)
    assert (parsed.query, parsed.reason) == ("Brell bridge of sighs 1902", "")


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ([], "too_few_terms"),
        (["a", "b"], "too_few_terms"),
        (["a", "b", "c", "d"], "too_many_terms"),
        (["a", " ", "c"], "empty_term"),
        (["a", "b\nx", "c"], "several_lines"),
        (["Bridge", "b", "bridge!"], "repeated_term"),
        (["a", 2, "c"], "wrong_json_schema"),
        ("a b c", "wrong_json_schema"),
    ],
)
def test_terms_that_are_not_as_asked_are_a_reason(terms: object, reason: str) -> None:
    assert read_one(TASK, {"terms": terms}, THREE).reason == reason


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(ValidationError, match="`max_terms` must be at least `min_terms`"):
        KeywordQuery(min_terms=5, max_terms=4)


def test_a_document_stays_text() -> None:
    text = rendered(TASK, text=HOSTILE)
    assert text.count("</document>") == 1
    assert HELD in text
