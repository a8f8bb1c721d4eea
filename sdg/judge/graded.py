"""Graded relevance of one candidate: 0 irrelevant, 1 on the topic, 2 in part, 3 completely."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

import prompts
from sdg.errors import ContractError
from sdg.ids import canonical_json, seed_for
from sdg.judge import JUDGES, Ask, Candidate, Case, Judge, Verdict
from sdg.judge.wording import inert, known_answers, load_wording
from sdg.llm import ChatRequest, Message, Reply, Sampling, Score, ScoreRequest

GRADES = (0, 1, 2, 3)
_KEY = "grade"
_SCHEMA = canonical_json(
    {
        "type": "object",
        "properties": {_KEY: {"enum": list(GRADES)}},
        "required": [_KEY],
        "additionalProperties": False,
    }
)
# What a reply that obeys the prompt begins with; its next token is the grade.
_BEGINNING = f'{{"{_KEY}":'


@JUDGES.register("graded")
class Graded(Judge):
    """An LLM grades one candidate at a time, beside the known positives.

    Four levels as in SyCL (arXiv 2503.23239). The multilingual MIRACL study grades 0, 1 (partially)
    and 2 (highly) and keeps only 0 as a negative; its "partially" is our 2, and our 1 is what a
    hard negative should be: on the topic without an answer.

    Attributes:
        engine: Name of the configured engine.
        method: "chat": the reply is one JSON object. "likelihood": the grade whose token is
            likeliest after the beginning of that object; nothing has to be parsed, so a model that
            cannot follow instructions gives a grade, too. Costs four scores per candidate.
        min_false_negative_grade: From this grade on a negative is false; 2, see above.
        prompt_language: Language of the prompt around the texts; "" is the query's own.
        sampling: With "chat"; judges are drawn at 0 to 0.1 (RLHN, DRAMA).
    """

    engine: str
    method: Literal["chat", "likelihood"] = "chat"
    min_false_negative_grade: int = Field(default=2, ge=1, le=3)
    prompt_language: str = ""
    sampling: Sampling = Sampling(temperature=0.1, top_p=1.0, max_tokens=16)

    @property
    def engine_name(self) -> str:
        """Name of the engine that grades."""
        return self.engine

    def requests_at_most(self, num_candidates: int) -> int:
        """Return one reply, or four scores, per candidate."""
        return num_candidates * (1 if self.method == "chat" else len(GRADES))

    def language_for(self, query_language: str) -> str:
        """Return the language whose prompt is wanted for a query."""
        return self.prompt_language or query_language

    def prompt_sha256(self, query_language: str) -> dict[str, str]:
        """Return the hash of the one prompt used for a language."""
        wording = self._wording(query_language)
        return {f"{wording.task}/{wording.language}": wording.sha256}

    def judge(self, cases: Sequence[Case], ask: Ask, seed: int) -> list[Verdict]:
        """Return the grade of every candidate; failures as in `_read` and of the engine."""
        pairs = [(case, candidate) for case in cases for candidate in case.candidates]
        if self.method == "chat":
            return self._by_chat(pairs, ask, seed)
        return self._by_likelihood(pairs, ask)

    def _by_chat(
        self, pairs: Sequence[tuple[Case, Candidate]], ask: Ask, seed: int
    ) -> list[Verdict]:
        requests = [
            ChatRequest(
                _name(case, candidate),
                "",
                (Message("user", self._render(case, candidate)),),
                self.sampling,
                seed_for(seed, self.name, case.query_id, candidate.doc_id),
                _SCHEMA,
            )
            for case, candidate in pairs
        ]
        replies = {reply.key: reply for reply in ask.complete(self.engine, requests)}
        _check_answers([r.key for r in requests], set(replies))
        verdicts = []
        for (case, candidate), request in zip(pairs, requests, strict=True):
            grade, failure = _read(replies[request.key])
            verdicts.append(self._verdict(case, candidate, grade, None, failure))
        return verdicts

    def _by_likelihood(self, pairs: Sequence[tuple[Case, Candidate]], ask: Ask) -> list[Verdict]:
        requests = [
            ScoreRequest(f"{_name(case, candidate)}/{grade}", prompt, f" {grade}")
            for case, candidate in pairs
            for prompt in [f"{self._render(case, candidate)}\n{_BEGINNING}"]
            for grade in GRADES
        ]
        scores = {score.key: score for score in ask.score(self.engine, requests)}
        _check_answers([r.key for r in requests], set(scores))
        verdicts = []
        for case, candidate in pairs:
            answers = [scores[f"{_name(case, candidate)}/{grade}"] for grade in GRADES]
            failures = [answer.failure for answer in answers if answer.mean_logprob is None]
            if failures:
                verdicts.append(
                    self._verdict(case, candidate, None, None, failures[0] or "no_score")
                )
                continue
            shares = _shares(answers)
            grade = max(GRADES, key=lambda g: (shares[g], -g))
            expected = sum(g * shares[g] for g in GRADES)
            verdicts.append(self._verdict(case, candidate, grade, expected, ""))
        return verdicts

    def _verdict(
        self,
        case: Case,
        candidate: Candidate,
        grade: int | None,
        score: float | None,
        failure: str,
    ) -> Verdict:
        is_relevant = None if grade is None else grade >= self.min_false_negative_grade
        return Verdict(case.query_id, candidate.doc_id, is_relevant, grade, score, failure)

    def _render(self, case: Case, candidate: Candidate) -> str:
        return self._wording(case.query_language).render_chat(
            query=inert(case.query),
            known_answers=known_answers(case.positives),
            document=inert(candidate.text),
        )

    def _wording(self, query_language: str) -> prompts.Prompt:
        return load_wording(self.name, self.language_for(query_language))


def _name(case: Case, candidate: Candidate) -> str:
    return f"graded/{case.query_id}/{candidate.doc_id}"


def _check_answers(asked: Sequence[str], answered: set[str]) -> None:
    missing = [key for key in asked if key not in answered]
    if missing:
        raise ContractError(
            f"Every request must be answered, but {missing[0]!r} was not. "
            "The engine or journal loses answers."
        )


def _read(reply: Reply) -> tuple[int | None, str]:
    """Return the grade, or None and why there is none."""
    if reply.failure or not reply.candidates:
        return None, reply.failure or "empty_reply"
    candidate = reply.candidates[0]
    if candidate.finish_reason == "length":
        return None, "truncated"
    try:
        value = json.loads(candidate.text)
    except (ValueError, RecursionError):
        return None, "invalid_json" if candidate.text.strip() else "empty_reply"
    if not isinstance(value, dict) or value.keys() != {_KEY} or type(value[_KEY]) is not int:
        return None, "wrong_json_schema"
    if value[_KEY] not in GRADES:
        return None, "grade_out_of_range"
    return value[_KEY], ""


def _shares(answers: Sequence[Score]) -> list[float]:
    """Return P(grade) among the four grades, from the sums of their tokens' log-probabilities."""
    sums = [(answer.mean_logprob or 0.0) * answer.num_tokens for answer in answers]
    weights = [math.exp(value - max(sums)) for value in sums]
    return [weight / sum(weights) for weight in weights]
