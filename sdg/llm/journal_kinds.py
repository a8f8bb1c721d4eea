"""What the journal has to know about each kind of request: its key, its engine call, its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from sdg.llm import Candidate, ChatRequest, Engine, Reply, Sampling, Score, ScoreRequest

Request = TypeVar("Request", ChatRequest, ScoreRequest)
Answer = TypeVar("Answer", Reply, Score)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Answer]):
    """How one kind of request is keyed, asked and stored.

    Attributes:
        key_parts: JSON of everything in the request that decides its answer.
        ask: Which method of the engine answers it.
        write: The answer without its request's key as JSON; `read` of it gives the answer.
        read: The answer from its stored JSON; raises if the JSON is something else.
        completion_tokens: Tokens written for an answer.
        reasoning_tokens: How many of these are reasoning.
    """

    key_parts: Callable[[Request], dict[str, Any]]
    ask: Callable[[Engine, Sequence[Request]], Iterator[list[Answer]]]
    write: Callable[[Answer], dict[str, Any]]
    read: Callable[[dict[str, Any]], Answer]
    completion_tokens: Callable[[Answer], int]
    reasoning_tokens: Callable[[Answer], int]


def _read_reply(value: dict[str, Any]) -> Reply:
    candidates = tuple(Candidate(**candidate) for candidate in value.pop("candidates"))
    return Reply(candidates=candidates, **value)


# `asdict` copies everything deeply: several times the cost of all else that is done for an answer.
def _write_reply(reply: Reply) -> dict[str, Any]:
    value: dict[str, Any] = {
        "candidates": [_write_candidate(candidate) for candidate in reply.candidates],
        "completion_tokens": reply.completion_tokens,
        "detail": reply.detail,
        "failure": reply.failure,
        "key": "",
        "prompt_tokens": reply.prompt_tokens,
    }
    if reply.reasoning_tokens:
        value["reasoning_tokens"] = reply.reasoning_tokens
    return value


def _write_candidate(candidate: Candidate) -> dict[str, Any]:
    value: dict[str, Any] = {
        "finish_reason": candidate.finish_reason,
        "mean_logprob": candidate.mean_logprob,
        "text": candidate.text,
    }
    if candidate.reasoning:
        value["reasoning"] = candidate.reasoning
    return value


def _write_score(score: Score) -> dict[str, Any]:
    return {**asdict(score), "key": ""}


@lru_cache(maxsize=256)
def _sampling_key(sampling: Sampling) -> dict[str, Any]:
    return sampling.model_dump(mode="json")


def _reply_key(request: ChatRequest) -> dict[str, Any]:
    return {
        "kind": "reply",
        "sampling": _sampling_key(request.sampling),
        "seed": request.seed,
        "prompt": request.prompt,
        "messages": [[message.role, message.text] for message in request.messages],
        "json_schema": request.json_schema,
    }


def _score_key(request: ScoreRequest) -> dict[str, Any]:
    return {"kind": "score", "prompt": request.prompt, "continuation": request.continuation}


REPLIES: Final[Kind[ChatRequest, Reply]] = Kind(
    _reply_key,
    lambda engine, requests: engine.complete_in_groups(requests),
    _write_reply,
    _read_reply,
    lambda reply: reply.completion_tokens,
    lambda reply: reply.reasoning_tokens,
)
SCORES: Final[Kind[ScoreRequest, Score]] = Kind(
    _score_key,
    lambda engine, requests: engine.score_in_groups(requests),
    _write_score,
    lambda v: Score(**v),
    lambda _: 0,
    lambda _: 0,
)
