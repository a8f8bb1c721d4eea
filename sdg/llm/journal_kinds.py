"""What the journal has to know about each kind of request: its key, its engine call, its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sdg.llm import Candidate, ChatRequest, Engine, Reply, Score, ScoreRequest

Request = TypeVar("Request", ChatRequest, ScoreRequest)
Answer = TypeVar("Answer", Reply, Score)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Request, Answer]):
    """How one kind of request is keyed, asked and stored.

    Attributes:
        key_parts: JSON of everything in the request that decides its answer.
        ask: Which method of the engine answers it.
        read: The answer from its stored JSON; raises if the JSON is something else.
        completion_tokens: Tokens written for an answer.
    """

    key_parts: Callable[[Request], dict[str, Any]]
    ask: Callable[[Engine, Sequence[Request]], Iterator[Answer]]
    read: Callable[[dict[str, Any]], Answer]
    completion_tokens: Callable[[Answer], int]


def _read_reply(value: dict[str, Any]) -> Reply:
    candidates = tuple(Candidate(**candidate) for candidate in value.pop("candidates"))
    return Reply(candidates=candidates, **value)


def _reply_key(request: ChatRequest) -> dict[str, Any]:
    return {
        "kind": "reply",
        "sampling": request.sampling.model_dump(mode="json"),
        "seed": request.seed,
        "prompt": request.prompt,
        "messages": [[message.role, message.text] for message in request.messages],
        "json_schema": request.json_schema,
    }


def _score_key(request: ScoreRequest) -> dict[str, Any]:
    return {"kind": "score", "prompt": request.prompt, "continuation": request.continuation}


REPLIES: Final[Kind[ChatRequest, Reply]] = Kind(
    _reply_key,
    lambda engine, requests: engine.complete(requests),
    _read_reply,
    lambda reply: reply.completion_tokens,
)
SCORES: Final[Kind[ScoreRequest, Score]] = Kind(
    _score_key, lambda engine, requests: engine.score(requests), lambda v: Score(**v), lambda _: 0
)
