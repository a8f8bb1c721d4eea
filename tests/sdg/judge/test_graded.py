"""Grades by chat and by likelihood."""

from __future__ import annotations

import math

import pytest

from sdg.judge.graded import Graded
from sdg.llm import ChatRequest, ScoreRequest
from tests.sdg.judge.asked import CASE, Answers, reply

CHAT = Graded(engine="m")
LIKELIHOOD = Graded(engine="m", method="likelihood")


def test_a_grade_from_two_on_is_a_false_negative() -> None:
    grades = {"The Orla": 3, "Selwick": 2, "Bronze": 1}

    def answer(request: ChatRequest) -> str:
        document = request.messages[0].text.split("<document>\n")[1]
        return next(f'{{"grade": {g}}}' for text, g in grades.items() if document.startswith(text))

    answers = Answers(lambda request: reply(request.key, answer(request)))
    found = CHAT.judge([CASE], answers, 1)
    assert [(v.doc_id, v.grade, v.is_relevant) for v in found] == [
        ("d1", 3, True),
        ("d2", 2, True),
        ("d3", 1, False),
    ]
    strict = Graded(engine="m", min_false_negative_grade=3).judge([CASE], answers, 1)
    assert [v.is_relevant for v in strict] == [True, False, False]
    lax = Graded(engine="m", min_false_negative_grade=1).judge([CASE], answers, 1)
    assert [v.is_relevant for v in lax] == [True, True, True]


def test_the_known_positive_is_shown_beside_the_one_candidate() -> None:
    answers = Answers(lambda request: reply(request.key, '{"grade": 0}'))
    CHAT.judge([CASE], answers, 1)
    assert len(answers.asked) == 3
    for (_, request), candidate in zip(answers.asked, CASE.candidates, strict=True):
        assert isinstance(request, ChatRequest)
        text = request.messages[0].text
        assert "<known_answer>\nBrell lies on the river Orla.\n</known_answer>" in text
        assert f"<document>\n{candidate.text}\n</document>" in text
        assert sum(c.text in text for c in CASE.candidates) == 1


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "empty_reply"),
        ("3", "wrong_json_schema"),
        ("grade 3", "invalid_json"),
        ('{"grade": "3"}', "wrong_json_schema"),
        ('{"grade": true}', "wrong_json_schema"),
        ('{"grade": 2.0}', "wrong_json_schema"),
        ('{"grade": 3, "why": ""}', "wrong_json_schema"),
        ('{"grade": 4}', "grade_out_of_range"),
        ('{"grade": -1}', "grade_out_of_range"),
    ],
)
def test_a_malformed_reply_is_no_grade_and_says_why(text: str, failure: str) -> None:
    found = CHAT.judge([CASE], Answers(lambda request: reply(request.key, text)), 1)
    assert [(v.grade, v.is_relevant, v.failure) for v in found] == [(None, None, failure)] * 3


def test_a_cut_reply_and_a_failed_request_are_no_grades() -> None:
    cut = Answers(lambda request: reply(request.key, '{"grade": 0}', finish_reason="length"))
    assert {v.failure for v in CHAT.judge([CASE], cut, 1)} == {"truncated"}
    lost = Answers(lambda request: reply(request.key, "", failure="too_long"))
    assert {v.failure for v in CHAT.judge([CASE], lost, 1)} == {"too_long"}


def test_the_likeliest_grade_wins_and_the_score_is_the_expected_grade() -> None:
    shares = {"d1": [0.1, 0.1, 0.2, 0.6], "d2": [0.7, 0.1, 0.1, 0.1], "d3": [0.25] * 4}

    def logprob(request: ScoreRequest) -> float:
        _, _, doc_id, grade = request.key.split("/")
        # Two tokens with this mean: the sum is what counts.
        return math.log(shares[doc_id][int(grade)] * 0.01) / 2

    answers = Answers(logprob=logprob)
    found = LIKELIHOOD.judge([CASE], answers, 1)
    assert [(v.doc_id, v.grade) for v in found] == [("d1", 3), ("d2", 0), ("d3", 0)]
    assert [v.score for v in found] == pytest.approx([2.3, 0.6, 1.5])
    assert len(answers.asked) == LIKELIHOOD.requests_at_most(3) == 12
    request = answers.asked[0][1]
    assert isinstance(request, ScoreRequest)
    assert request.prompt.endswith('\n{"grade":')
    assert request.continuation == " 0"


def test_one_failed_score_of_four_is_no_grade() -> None:
    answers = Answers(logprob=lambda r: None if r.key.endswith("d2/3") else -1.0)
    found = LIKELIHOOD.judge([CASE], answers, 1)
    assert [(v.grade, v.failure) for v in found] == [(0, ""), (None, "server_error"), (0, "")]
