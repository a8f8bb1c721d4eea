"""What every reviewer promises; a new file in sdg/review/ is covered at once."""

from __future__ import annotations

import json
import pickle

import pytest

import prompts
from sdg.llm.scripted import ScriptedEngine
from sdg.review import REVIEWERS, Pair, Reviewer
from tests.sdg.judge.asked import reply

LANGUAGES = ("eng-Latn", "fra-Latn", "spa-Latn")
PAIR = Pair("k", "which river does Brell lie on", "eng-Latn", "Brell lies on the river Orla.")


@pytest.fixture(params=sorted(REVIEWERS))
def reviewer(request: pytest.FixtureRequest) -> Reviewer:
    return REVIEWERS.build({"reviewer": request.param, "engine": "m"})


def test_a_reviewer_has_a_prompt_of_its_own_in_every_language(reviewer: Reviewer) -> None:
    assert set(prompts.languages(reviewer.name)) >= set(LANGUAGES)
    hashes = [reviewer.prompt_sha256(language) for language in LANGUAGES]
    assert len({str(h) for h in hashes}) == len(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_prompt_names_every_criterion_and_holds_both_texts(
    reviewer: Reviewer, language: str
) -> None:
    body = reviewer.request(PAIR._replace(query_language=language), 1).messages[0].text
    assert PAIR.query in body
    assert PAIR.document in body
    assert all(f'"{name}":' in body for name in reviewer.criteria)


def test_a_reply_that_obeys_the_schema_can_be_read(reviewer: Reviewer) -> None:
    for seed in range(20):
        [answer] = ScriptedEngine().complete([reviewer.request(PAIR, seed)])
        review = reviewer.read(answer)
        assert review.failure == ""
        assert tuple(review.scores) == reviewer.criteria
        assert review.objection == reviewer.objection(review.scores)
        assert review.objection == review.objection.lower().replace(" ", "_")


def test_a_reviewer_survives_answers_of_any_kind(reviewer: Reviewer) -> None:
    blank = json.dumps(dict.fromkeys(reviewer.criteria))
    lists = json.dumps({name: [1] for name in reviewer.criteria})
    for text in ("", "{", "null", "[]", blank, lists, "\ud800", "0" * 5000, "[" * 99_999):
        review = reviewer.read(reply("k", text))
        assert review.failure
        assert not review.scores


def test_a_judge_is_drawn_at_most_at_a_temperature_of_a_tenth(reviewer: Reviewer) -> None:
    assert reviewer.sampling.temperature <= 0.1


def test_a_reviewer_travels_and_its_settings_are_its_identity(reviewer: Reviewer) -> None:
    assert pickle.loads(pickle.dumps(reviewer)).identity() == reviewer.identity()  # noqa: S301
    other = reviewer.model_copy(update={"on_unreadable": "keep"})
    assert other.identity() != reviewer.identity()
    json.dumps(reviewer.identity())
