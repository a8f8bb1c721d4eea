"""What every scorer promises; a new file in sdg/relabel/ is covered at once."""

from __future__ import annotations

import pytest

import prompts
from sdg.llm import Score, ScoreRequest
from sdg.relabel import SCORERS, Pair, Scorer

PAIR = Pair("k", "who built the bridge", "eng-Latn", "Irena built the bridge.")


@pytest.fixture(params=sorted(SCORERS))
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return SCORERS.build({"scorer": request.param})


def _answer(request: ScoreRequest, value: float | None) -> Score:
    return Score(request.key, value, 2, 9, "" if value is not None else "server_error")


def test_a_scorers_requests_have_unique_keys_of_the_pair(scorer: Scorer) -> None:
    keys = [request.key for request in scorer.requests(PAIR)]
    assert len(set(keys)) == len(keys) == scorer.requests_per_pair
    assert all(key.startswith("k") for key in keys)


def test_a_scorers_prompt_holds_the_document_and_ends_before_a_space(scorer: Scorer) -> None:
    for request in scorer.requests(PAIR):
        assert PAIR.document in request.prompt
        assert request.prompt == request.prompt.rstrip()
        assert request.continuation.startswith(" ")
        assert request.continuation.strip()


def test_a_scorer_has_a_prompt_in_every_language_it_lists(scorer: Scorer) -> None:
    languages = prompts.languages(scorer.name)
    assert "eng-Latn" in languages
    hashes = set()
    for language in languages:
        assert scorer.requests(Pair("k", "a b", language, "c"))
        hashes.add(scorer.prompt_sha256(language))
    assert len(hashes) == len(languages)


def test_a_failed_answer_gives_no_score(scorer: Scorer) -> None:
    requests = scorer.requests(PAIR)
    for failed in range(len(requests)):
        answers = [_answer(r, None if i == failed else -1.0) for i, r in enumerate(requests)]
        assert scorer.score(answers) is None


def test_a_likelier_first_answer_scores_higher(scorer: Scorer) -> None:
    requests = scorer.requests(PAIR)
    low, high = (
        scorer.score([_answer(r, first if i == 0 else -2.0) for i, r in enumerate(requests)])
        for first in (-3.0, -1.0)
    )
    assert low is not None
    assert high is not None
    assert high > low
