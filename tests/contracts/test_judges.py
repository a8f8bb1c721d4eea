"""What every judge promises; a new file in sdg/judge/ is covered at once."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

import prompts
from sdg.judge import JUDGES, Judge
from sdg.judge.config import JudgeConfig
from sdg.judge.scoring import ScoringJudge
from tests.sdg.judge.asked import CASE, Answers, reply

LANGUAGES = ("eng-Latn", "fra-Latn", "spa-Latn")
# Settings without a default, of whichever judge has them.
NEEDED: dict[str, Any] = {
    "engine": "m",
    "model": "m",
    "model_revision": "1",
    "base_urls": ["http://localhost:1/v1"],
    "threshold": 0.5,
}


@pytest.fixture(params=sorted(JUDGES))
def judge(request: pytest.FixtureRequest) -> Judge:
    fields = JUDGES[request.param].model_fields
    settings = {name: value for name, value in NEEDED.items() if name in fields}
    return JUDGES.build({"judge": request.param, **settings})


def _without_model(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(judge, ScoringJudge):

        def lengths(self: ScoringJudge, pairs: Sequence[tuple[str, str]]) -> list[float]:
            return [len(text) / 100 for _, text in pairs]

        def uncut(self: ScoringJudge, pairs: Sequence[tuple[str, str]]) -> list[bool]:
            return [False for _ in pairs]

        monkeypatch.setattr(type(judge), "scores", lengths)
        monkeypatch.setattr(type(judge), "are_cut", uncut)


ANSWERS = Answers(
    lambda request: reply(
        request.key,
        json.dumps({"grade": 1})
        if "grade" in request.json_schema
        else json.dumps({"analysis": "", "relevant": [2], "irrelevant": [1, 3]}),
    ),
    lambda _: -1.0,
)


def test_a_judge_gives_one_verdict_per_candidate_in_order(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_model(judge, monkeypatch)
    cases = [CASE, replace(CASE, query_id="q2")]
    found = judge.judge(cases, ANSWERS, 1)
    wanted = [(case.query_id, c.doc_id) for case in cases for c in case.candidates]
    assert [(v.query_id, v.doc_id) for v in found] == wanted
    assert all((v.is_relevant is None) == bool(v.failure) for v in found)
    assert all(v.grade is None or 0 <= v.grade <= 3 for v in found)
    assert judge.judge(cases[::-1], ANSWERS, 1) == found[3:] + found[:3]
    assert judge.judge([], ANSWERS, 1) == []


def test_a_judge_survives_answers_of_any_kind(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_model(judge, monkeypatch)
    for text in ("", "{", "null", '{"grade": null}', "\ud800", '{"relevant": {}}', "0" * 5000):
        answers = Answers(lambda r, text=text: reply(r.key, text), lambda _: None)  # type: ignore[misc]
        found = judge.judge([CASE], answers, 1)
        asked = bool(answers.asked)
        assert all(v.is_relevant is None for v in found) == asked


def test_a_judge_costs_what_it_says_at_most(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_model(judge, monkeypatch)
    ANSWERS.asked.clear()
    judge.judge([CASE], ANSWERS, 1)
    assert len(ANSWERS.asked) <= judge.requests_at_most(len(CASE.candidates))
    assert {engine for engine, _ in ANSWERS.asked} <= {judge.engine_name}


def test_a_judge_with_prompts_has_one_of_its_own_in_every_language(judge: Judge) -> None:
    hashes = [judge.prompt_sha256(language) for language in LANGUAGES]
    if judge.engine_name:
        assert judge.name in prompts.tasks()
        assert len({str(h) for h in hashes}) == len(LANGUAGES)
    else:
        assert hashes == [{}] * 3


def test_a_judge_is_part_of_the_configuration_and_travels(judge: Judge) -> None:
    config = JudgeConfig(enabled=True, judges=(judge,))
    again = JudgeConfig.model_validate(config.model_dump(mode="json"))
    assert [j.identity() for j in again.judges] == [judge.identity()]
    assert pickle.loads(pickle.dumps(judge)).identity() == judge.identity()  # noqa: S301
    json.dumps(judge.identity())
