"""All candidates of a query in one call, compared with what is known to answer it (RLHN)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import prompts
from sdg.errors import ContractError
from sdg.ids import canonical_json, seed_for
from sdg.judge import JUDGES, NO, YES, Ask, Case, Judge, Verdict
from sdg.judge.wording import inert, known_answers, load_wording, numbered
from sdg.llm import ChatRequest, Message, Reply, Sampling

# The reasoning comes first in the order of the schema, which engines follow when they write.
_ANALYSIS, _NO, _YES = "analysis", "irrelevant", "relevant"


@JUDGES.register("rlhn")
class Rlhn(Judge):
    """One call per query with the question, the ground truth and all negatives.

    RLHN (arXiv 2505.16967) asks a cheap model about every query and a strong one only about
    queries with a flag, which is shown all negatives of the query again: put this judge into the
    cascade twice, with two engines. A candidate counts as relevant only if it has every part of the
    answer that the ground truth has.

    Changed from the published code: own wording, in the language of the query instead of English
    only; one JSON object in place of XML sections, because engines can be held to a schema and a
    tag inside a document cannot be taken for the judge's; lists of document numbers of which each
    must be named exactly once, so that silence is noticed and not read as "irrelevant"; the
    preference among relevant documents is not asked for, as nothing uses it.

    Attributes:
        engine: Name of the configured engine.
        prompt_language: Language of the prompt around the texts; "" is the query's own.
        sampling: 0.1 and 4,096 tokens are the published code's. The engine's `max_model_len` must
            hold them beside the documents.
    """

    sees: ClassVar[Literal["flagged", "queries"]] = "queries"

    engine: str
    prompt_language: str = ""
    sampling: Sampling = Sampling(temperature=0.1, top_p=1.0, max_tokens=4096)

    @property
    def engine_name(self) -> str:
        """Name of the engine that judges."""
        return self.engine

    def requests_at_most(self, num_candidates: int) -> int:
        """Return one: a query is one call whatever it has to show."""
        return int(num_candidates > 0)

    def language_for(self, query_language: str) -> str:
        """Return the language whose prompt is wanted for a query."""
        return self.prompt_language or query_language

    def prompt_sha256(self, query_language: str) -> dict[str, str]:
        """Return the hash of the one prompt used for a language."""
        wording = self._wording(query_language)
        return {f"{wording.task}/{wording.language}": wording.sha256}

    def judge(self, cases: Sequence[Case], ask: Ask, seed: int) -> list[Verdict]:
        """Return yes or no for every candidate; failures as in `read_lists` and of the engine."""
        requests = [self._request(case, seed) for case in cases]
        replies = {reply.key: reply for reply in ask.complete(self.engine, requests)}
        verdicts: list[Verdict] = []
        for case, request in zip(cases, requests, strict=True):
            if request.key not in replies:
                raise ContractError(
                    f"Every request must be answered, but {request.key!r} was not. "
                    "The engine or journal loses answers."
                )
            verdicts += _verdicts(case, replies[request.key])
        return verdicts

    def _request(self, case: Case, seed: int) -> ChatRequest:
        text = self._wording(case.query_language).render_chat(
            query=inert(case.query),
            known_answers=known_answers(case.positives),
            documents=numbered(case.candidates),
        )
        return ChatRequest(
            f"rlhn/{case.query_id}",
            "",
            (Message("user", text),),
            self.sampling,
            seed_for(seed, self.name, case.query_id),
            _schema(len(case.candidates)),
        )

    def _wording(self, query_language: str) -> prompts.Prompt:
        return load_wording(self.name, self.language_for(query_language))


def read_lists(text: str, num_documents: int) -> tuple[list[bool | None], list[str]]:
    """Return each document's verdict and why it has none, from the judge's JSON.

    Args:
        text: What the judge wrote, untrusted.
        num_documents: Documents it was shown, numbered from 1.

    Returns:
        `num_documents` verdicts, None where there is none, and as many failures, "" where there is
        one. Of the whole reply: `empty_reply`, `invalid_json`, `wrong_json_schema`,
        `unknown_document_number` (its numbering cannot be trusted then). Of one document:
        `contradictory` (in both lists), `not_named` (in neither).
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _all_failed(num_documents, "invalid_json" if text.strip() else "empty_reply")
    if not _has_lists(value):
        return _all_failed(num_documents, "wrong_json_schema")
    yes, no = set(value[_YES]), set(value[_NO])
    if any(not 1 <= number <= num_documents for number in yes | no):
        return _all_failed(num_documents, "unknown_document_number")
    verdicts: list[bool | None] = []
    failures: list[str] = []
    for number in range(1, num_documents + 1):
        is_yes, is_no = number in yes, number in no
        verdicts.append(is_yes if is_yes != is_no else None)
        failures.append("" if is_yes != is_no else "contradictory" if is_yes else "not_named")
    return verdicts, failures


def _verdicts(case: Case, reply: Reply) -> list[Verdict]:
    count = len(case.candidates)
    if reply.failure or not reply.candidates:
        found, failures = _all_failed(count, reply.failure or "empty_reply")
    elif reply.candidates[0].finish_reason == "length":
        found, failures = _all_failed(count, "truncated")
    else:
        found, failures = read_lists(reply.candidates[0].text, count)
    return [
        Verdict(
            case.query_id,
            candidate.doc_id,
            is_yes,
            None if is_yes is None else (YES if is_yes else NO),
            None,
            failure,
        )
        for candidate, is_yes, failure in zip(case.candidates, found, failures, strict=True)
    ]


def _all_failed(count: int, failure: str) -> tuple[list[bool | None], list[str]]:
    return [None] * count, [failure] * count


def _has_lists(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return (
        isinstance(value, dict)
        and value.keys() == {_ANALYSIS, _NO, _YES}
        and isinstance(value[_ANALYSIS], str)
        and all(
            isinstance(value[key], list) and all(type(number) is int for number in value[key])
            for key in (_NO, _YES)
        )
    )


def _schema(num_documents: int) -> str:
    numbers = {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": num_documents},
        "maxItems": num_documents,
    }
    return canonical_json(
        {
            "type": "object",
            "properties": {_ANALYSIS: {"type": "string"}, _NO: numbers, _YES: numbers},
            "required": [_ANALYSIS, _NO, _YES],
            "additionalProperties": False,
        }
    )
