"""Who is asked: engines, one per file, and the journal that remembers every answer.

    ChatRequest / ScoreRequest ─► Journal ─► Engine ─► Reply / Score
                                    │ finished before? answered from disk, nothing is sent

An engine yields an answer as soon as it is there, in any order; callers join by `key`.
One bad request never raises: it is a `Reply` whose `failure` says why. An engine raises only if it
is broken for good (`BackendError`).

Why plain values and a generator: the journal can make each answer durable the moment it exists,
for every engine alike, and order can never depend on timing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import Field

from sdg.part import Part, Plugin
from sdg.registry import Registry

PromptShape = Literal["completion", "chat"]

# Failures that another run may not see: no answer is kept, and the next run asks again.
# "pending" waits for somebody to run a batch file.
PASSING_FAILURES: Final = frozenset({"server_error", "timed_out", "pending"})


class Sampling(Part):
    """How tokens are drawn.

    Attributes:
        temperature: 0 is greedy. 0.6 / 0.95 suits grounded generation (Nemotron recipe).
        top_p: Nucleus in (0, 1].
        max_tokens: Upper bound of a reply; a reply cut there is the failure `truncated`.
        stop: Texts that end a reply; not part of it.
        num_candidates: Replies drawn per request.
    """

    temperature: float = Field(default=0.6, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=256, ge=1)
    stop: tuple[str, ...] = ()
    num_candidates: int = Field(default=1, ge=1)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat.

    Attributes:
        role: "system", "user" or "assistant".
        text: What is said.
    """

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for `sampling.num_candidates` replies.

    Attributes:
        key: The caller's id, unique in a batch; not part of the journal key.
        prompt: Text to continue, or "" if `messages` are given.
        messages: Turns of a chat, or () if `prompt` is given.
        sampling: How tokens are drawn.
        seed: Tells apart two requests with the same text; part of the journal key. Sent to the
            engine only where the engine can take it.
        json_schema: Canonical JSON of the schema that a reply must obey, or "".
    """

    key: str
    prompt: str
    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    json_schema: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reply text.

    Attributes:
        text: As the model wrote it, untrusted.
        finish_reason: "stop" or "length".
        mean_logprob: Mean natural log-probability of the reply's tokens, reasoning included; None
            if not given.
        reasoning: What a thinking model wrote before; kept only where there is no answer after
            it, as the raw reply of a failure.
    """

    text: str
    finish_reason: str
    mean_logprob: float | None
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one ChatRequest.

    Attributes:
        key: The request's key.
        candidates: `num_candidates` of them, or none if the request failed.
        failure: "" or why there are no candidates: "too_long", "refused", or one of
            PASSING_FAILURES.
        detail: What the engine said of the failure.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written, over all candidates, reasoning included.
        reasoning_tokens: How many of these a thinking model wrote before its answers.
    """

    key: str
    candidates: tuple[Candidate, ...]
    failure: str
    detail: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A request for the log-likelihood of `continuation` after `prompt`.

    Attributes:
        key: The caller's id, unique in a batch; not part of the journal key.
        prompt: What the model reads first.
        continuation: What is scored; starts with its own white space.
    """

    key: str
    prompt: str
    continuation: str


@dataclass(frozen=True, slots=True)
class Score:
    """The answer to one ScoreRequest.

    Attributes:
        key: The request's key.
        mean_logprob: Mean natural log-probability per token of the continuation, <= 0, higher is
            likelier; None if the request failed.
        num_tokens: Tokens of the continuation.
        prompt_tokens: Tokens read in all.
        failure: "" or why there is no score.
    """

    key: str
    mean_logprob: float | None
    num_tokens: int
    prompt_tokens: int
    failure: str


class TokenPrice(Part):
    """What a million tokens cost, in any currency.

    Attributes:
        prompt: Tokens read.
        completion: Tokens written, reasoning included.
    """

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)


class Engine(Plugin):
    """An LLM that answers batches. Subclass, register in ENGINES, done.

    Settings that change speed or cost only (batch sizes, concurrency, memory, URLs, prices) must
    not be part of `identity()`; the model, its revision, its adapter and its dtype must.

    Attributes:
        holds_model: True if this process holds the weights while the engine is open; of such
            engines one is open at a time, and each is opened once per stage.
        gpus: GPUs that work while the engine does; 0 keeps no account of GPU time.
        price_per_gpu_hour: Cost of one of them, or None.
        price_per_million_tokens: Cost of tokens, or None.
        answers_at_once: False if somebody has to do something before there are answers, so that
            it cannot be tried with a question.
    """

    holds_model: ClassVar[bool] = False
    answers_at_once: ClassVar[bool] = True

    gpus: float = Field(default=0, ge=0)
    price_per_gpu_hour: float | None = Field(default=None, ge=0)
    price_per_million_tokens: TokenPrice | None = None

    @abstractmethod
    def revision(self) -> str:
        """Return what pins the weights: a commit, a file hash, "scripted"; may start the model."""

    @abstractmethod
    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        """Yield one Reply per request as each finishes, in any order.

        Raises:
            BackendError: If the engine is broken for good; answers yielded before stay good.
        """

    @abstractmethod
    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield one Score per request as each finishes, in any order.

        Raises:
            BackendError: If the engine is broken for good or cannot score.
        """

    def complete_in_groups(self, requests: Sequence[ChatRequest]) -> Iterator[list[Reply]]:
        """Yield replies as they finish, those at hand together.

        What asks for the next group has made the last one durable. An engine with many requests
        under way overrides this, so that one commit serves many replies.
        """
        for reply in self.complete(requests):
            yield [reply]

    def score_in_groups(self, requests: Sequence[ScoreRequest]) -> Iterator[list[Score]]:
        """Yield scores as they finish, those at hand together."""
        for score in self.score(requests):
            yield [score]

    def pending(self) -> str:
        """Return "", or what somebody must do before the engine can answer what it was asked."""
        return ""

    def close(self) -> None:
        """Release what the engine holds. Calling it twice, or before use, does nothing."""


ENGINES: Registry[Engine] = Registry("engine", "sdg.llm")
