"""Triples of sentences and of translations, and the grades of their scores."""

from __future__ import annotations

import json

import pytest

from sdg.errors import ConfigError
from sdg.tasks import Written
from sdg.tasks.bitext_triple import BitextTriple
from sdg.tasks.similarity import SimilarityTriple, grade_of
from sdg.tasks.sts_triple import StsTriple
from tests.sdg.tasks.whole_rows import make, read_one, request, text_of

STS, BITEXT = StsTriple(), BitextTriple()
REPLY = {"s1": "The bridge opened.", "s2": "They opened the bridge.", "s3": "A bridge closed."}
SPEC = {"unit": "phrase", "high_score": 4.5, "low_score": 2.5, "difficulty": "college"}


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        (5.0, 3),
        (4.5, 3),
        (4.0, 3),
        (3.5, 2),
        (3.0, 2),
        (2.5, 1),
        (2.0, 1),
        (1.5, 1),
        (1.0, 1),
        (0.5, 0),
    ],
)
def test_scores_have_the_grade_whose_words_mean_the_same(score: float, grade: int) -> None:
    assert grade_of(score) == grade


@pytest.mark.parametrize("task", [STS, BITEXT], ids=["sts", "bitext"])
def test_the_first_text_is_the_query_and_the_others_have_the_grades_asked_for(
    task: SimilarityTriple,
) -> None:
    parsed = read_one(task, REPLY, spec=json.dumps(SPEC), document_language="deu-Latn")
    assert parsed.query == "The bridge opened."
    assert parsed.written == (
        Written("They opened the bridge.", "deu-Latn", "positive", 3),
        Written("A bridge closed.", "deu-Latn", "negative", 1),
    )


@pytest.mark.parametrize("task", [STS, BITEXT], ids=["sts", "bitext"])
def test_a_positive_always_has_a_higher_grade_than_its_negative(task: SimilarityTriple) -> None:
    for seed in range(100):
        positive, negative = read_one(task, REPLY, seed=seed).written
        assert (positive.grade or 0) > (negative.grade or 0) >= 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"s1": ""}, "empty_query", id="no S1"),
        pytest.param({"s2": " "}, "empty_positive", id="no S2"),
        pytest.param({"s3": ""}, "empty_negative", id="no S3"),
        pytest.param({"s2": "the bridge opened"}, "positive_equals_query", id="S2 is S1"),
        pytest.param({"s3": "the bridge opened"}, "negative_equals_query", id="S3 is S1"),
        pytest.param({"s3": "They opened the bridge"}, "negative_equals_positive", id="S3 is S2"),
        pytest.param({"s3": 3}, "wrong_json_schema", id="a number"),
    ],
)
def test_a_triple_that_is_none_has_its_reason(change: dict[str, object], reason: str) -> None:
    assert read_one(STS, {**REPLY, **change}).reason == reason


def test_a_passage_may_take_several_lines() -> None:
    assert read_one(STS, {**REPLY, "s1": "One.\nTwo."}).query == "One.\nTwo."


def test_the_question_holds_what_was_drawn() -> None:
    asked = request(STS, spec=json.dumps(SPEC), document_language="deu-Latn")
    text = text_of(STS.render(asked, {}))
    assert "S1 and S2 have the similarity 4.5." in text
    assert "S1 and S3 have the similarity 2.5." in text
    assert "Unit wanted: phrase" in text
    assert "Education needed to understand the texts: college" in text
    assert "Write S1 in English, and S2 and S3 in German." in text
    text = text_of(BITEXT.render(asked, {}))
    assert "S2 as a translation of S1 has the score 4.5." in text
    assert "Unit wanted: phrase" in text


def test_scores_and_unit_join_the_row() -> None:
    made = make(StsTriple(units=("passage",), low_scores=(3.0,)), 1, lambda _: REPLY)
    (row,) = made.queries
    assert (row["spec"]["unit"], row["spec"]["low_score"]) == ("passage", 3.0)
    assert made.links == [
        ("They opened the bridge.", "positive", 3),
        ("A bridge closed.", "negative", 2),
    ]
    assert [len(step) for step in made.asked] == [1]


def test_a_bitext_of_one_language_is_refused() -> None:
    BITEXT.check("deu-Latn", "eng-Latn")
    STS.check("eng-Latn", "eng-Latn")
    with pytest.raises(ConfigError, match="must have two languages"):
        BITEXT.check("eng-Latn", "eng-Latn")


def test_low_scores_above_high_ones_and_scores_off_the_scale_are_refused() -> None:
    with pytest.raises(ValueError, match="must lie below"):
        StsTriple(low_scores=(4.0,))
    with pytest.raises(ValueError, match="high_scores"):
        BitextTriple(high_scores=(6.0,))
