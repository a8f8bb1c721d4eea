"""An `Ask` for tests: answers come from functions, and what was asked is remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sdg.judge import Candidate, Case
from sdg.llm import Candidate as Text
from sdg.llm import ChatRequest, Reply, Score, ScoreRequest

CASE = Case(
    "q1",
    "which river does Brell lie on",
    "eng-Latn",
    ("Brell lies on the river Orla.",),
    (
        Candidate("d1", "The Orla flows past Brell."),
        Candidate("d2", "Selwick lies on the river Tevin."),
        Candidate("d3", "Bronze is an alloy."),
    ),
)


def reply(key: str, text: str, finish_reason: str = "stop", failure: str = "") -> Reply:
    candidates = () if failure else (Text(text, finish_reason, None),)
    return Reply(key, candidates, failure, "", 9, 9)


class Answers:
    """Answers each request by a function of it, in reverse order, as an engine may."""

    def __init__(
        self,
        text: Callable[[ChatRequest], Reply] | None = None,
        logprob: Callable[[ScoreRequest], float | None] | None = None,
    ) -> None:
        self._text = text
        self._logprob = logprob
        self.asked: list[tuple[str, ChatRequest | ScoreRequest]] = []

    def complete(self, engine: str, requests: Sequence[ChatRequest]) -> list[Reply]:
        assert self._text is not None
        self.asked += [(engine, request) for request in requests]
        return [self._text(request) for request in reversed(requests)]

    def score(self, engine: str, requests: Sequence[ScoreRequest]) -> list[Score]:
        assert self._logprob is not None
        self.asked += [(engine, request) for request in requests]
        scores = []
        for request in reversed(requests):
            value = self._logprob(request)
            scores.append(
                Score(request.key, value, 2, 9, "" if value is not None else "server_error")
            )
        return scores
