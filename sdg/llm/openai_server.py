"""One or several OpenAI-compatible servers, such as `vllm serve` on a GPU box.

Completions and chat work with any such server. Scoring needs vLLM: it sends token ids, so that the
border between prompt and continuation is as exact as in process, and asks for the log-probability
of every prompt token, which no other server gives.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import PurePath
from typing import Any, Final, TypeVar

from pydantic import Field, JsonValue, PrivateAttr, field_validator

from sdg.errors import BackendError, ConfigError
from sdg.llm import (
    ENGINES,
    PASSING_FAILURES,
    ChatRequest,
    Engine,
    Reply,
    Score,
    ScoreRequest,
)
from sdg.llm import openai_wire as wire
from sdg.llm.background import Give, iterate
from sdg.llm.http_answer import Answered, Unanswered
from sdg.llm.http_pool import HttpPool, Limits, ask_once
from sdg.llm.shared_pool import SharedPool

_WRONG_SET_UP: Final = frozenset({401, 402, 403, 404, 405, 407})
_FAILED_IN_A_ROW: Final = 20
_OPENING: Final = threading.Lock()

Asked = TypeVar("Asked", ChatRequest, ScoreRequest)
Told = TypeVar("Told", Reply, Score)


def _failure(answer: Unanswered) -> str:
    return "timed_out" if answer.is_late else "server_error"


@ENGINES.register("openai")
class OpenAIServer(Engine):
    """Servers that speak the OpenAI protocol.

    Attributes:
        base_urls: One or several, each ending in the version ("http://gpu1:8000/v1"); requests go
            to the freest. All must serve the same model.
        model: The name that the servers know it by.
        model_revision: What pins the weights, in the user's words; None: what /models says.
        api_key_env: Name of the environment variable that holds the key; the key itself never
            stands in a configuration.
        send_seed: Send each request's seed. Leave it off for vLLM on a CPU, which it stops.
        ask_logprobs: Ask for the log-probabilities of replies; off for servers that refuse it.
        extra_body: Further fields of every generation request (`top_k`, `chat_template_kwargs`).
        max_in_flight: Requests that this process sends at the same time, over all servers; speed
            only, like everything below.
        adaptive: Send fewer than that while the servers do not keep up; see `server_load`.
        timeout_seconds: Longest wait for an answer before its request is tried elsewhere.
        deadline_seconds: Longest time for one request, all its attempts and waits together; then
            it is the failure "timed_out".
        max_attempts: Times that a request is sent at most.
        backoff_seconds: Longest wait before the second attempt; doubles each time.
    """

    base_urls: tuple[str, ...] = Field(min_length=1)
    model: str = Field(min_length=1)
    model_revision: str | None = None
    api_key_env: str | None = None
    send_seed: bool = False
    ask_logprobs: bool = True
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    max_in_flight: int = Field(default=256, ge=1, le=4096)
    adaptive: bool = True
    timeout_seconds: float = Field(default=600.0, gt=0)
    deadline_seconds: float = Field(default=3600.0, gt=0)
    max_attempts: int = Field(default=6, ge=1)
    backoff_seconds: float = Field(default=1.0, ge=0)

    _told_revision: str | None = PrivateAttr(default=None)
    _client: SharedPool | None = PrivateAttr(default=None)

    @field_validator("base_urls")
    @classmethod
    def _check_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not re.match(r"https?://[^/@\s]+", url) or "@" in url.split("/")[2]:
                message = (
                    "`base_urls` must be like 'http://host:8000/v1' without a user or password, "
                    f"but one is {re.sub(r'//[^/@]*@', '//***@', url)!r} instead. Put a key into "
                    "an environment variable and name it in `api_key_env`."
                )
                raise ValueError(message)
        return tuple(url.rstrip("/") for url in urls)

    def identity(self) -> dict[str, Any]:
        """Return model, given revision and what is asked of it; URLs and speed are left out."""
        return {
            "name": self.name,
            "version": self.version,
            "model": self.model,
            "revision": self.model_revision,
            "send_seed": self.send_seed,
            "ask_logprobs": self.ask_logprobs,
            "extra_body": self.extra_body,
        }

    def revision(self) -> str:
        """Return `model_revision`, or "served:<id>:<root>" as the servers tell it.

        Raises:
            BackendError: If no server answers, or two serve different weights.
            ConfigError: If a server does not know the model.
        """
        if self.model_revision is not None:
            return self.model_revision
        if self._told_revision is None:
            self._told_revision = self._ask_revision()
        return self._told_revision

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        """Yield each reply as it arrives."""
        for group in self.complete_in_groups(requests):
            yield from group

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield each score as it arrives; needs vLLM servers."""
        for group in self.score_in_groups(requests):
            yield from group

    def complete_in_groups(self, requests: Sequence[ChatRequest]) -> Iterator[list[Reply]]:
        """Yield the replies that arrived since the last group.

        A request that has an answer makes room for another one only when the group with its
        answer was worked on, so a process that dies loses at most `max_in_flight` answers.
        """
        yield from self._spread(self._complete_one, requests)

    def score_in_groups(self, requests: Sequence[ScoreRequest]) -> Iterator[list[Score]]:
        """Yield the scores that arrived since the last group."""
        yield from self._spread(self._score_one, requests)

    def close(self) -> None:
        """Close every connection; the next request opens them again."""
        with _OPENING:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _spread(
        self, one: Callable[[HttpPool, Asked], Awaitable[Told]], requests: Sequence[Asked]
    ) -> Iterator[list[Told]]:
        if not requests:
            return
        failed_in_a_row = 0
        client = self._open()

        async def ask_all(give: Give[Told]) -> None:
            waiting = iter(requests)

            async def ask_some() -> None:
                for request in waiting:
                    await give(await one(client.pool, request))

            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.max_in_flight, len(requests))):
                    group.create_task(ask_some())

        with closing(iterate(client.thread, ask_all)) as groups:
            for answers in groups:
                given_up: BackendError | None = None
                for answer in answers:
                    failed = answer.failure in PASSING_FAILURES
                    failed_in_a_row = failed_in_a_row + 1 if failed else 0
                    if failed_in_a_row == _FAILED_IN_A_ROW:
                        given_up = self._given_up(getattr(answer, "detail", answer.failure))
                # The good answers of the group are paid for: they are handed over first.
                yield answers
                if given_up is not None:
                    raise given_up

    def _open(self) -> SharedPool:
        with _OPENING:
            if self._client is None:
                limits = Limits(
                    self.max_in_flight,
                    self.timeout_seconds,
                    self.max_attempts,
                    self.backoff_seconds,
                    self.deadline_seconds,
                    self.adaptive,
                )
                self._client = SharedPool(self.base_urls, self.headers(), limits)
            return self._client

    async def _complete_one(self, pool: HttpPool, request: ChatRequest) -> Reply:
        path = "completions" if request.prompt else "chat/completions"
        wanted = request.sampling.num_candidates
        body = {
            **self.extra_body,
            **wire.generation_body(
                request, send_seed=self.send_seed, ask_logprobs=self.ask_logprobs
            ),
            "model": self.model,
        }
        answer = await self._post(
            pool, path, body, request.key, lambda told: wire.has_choices(told, wanted)
        )
        if isinstance(answer, Unanswered):
            return Reply(request.key, (), _failure(answer), answer.detail, 0, 0)
        if answer.status != 200:
            return Reply(request.key, (), wire.failure(answer.text), answer.text, 0, 0)
        return wire.read_reply(request.key, answer.body)

    async def _score_one(self, pool: HttpPool, request: ScoreRequest) -> Score:
        prompt = await self._tokenise(pool, request.key, request.prompt, with_special=True)
        scored = await self._tokenise(pool, request.key, request.continuation, with_special=False)
        size = len(prompt) + len(scored)
        if not prompt or not scored:
            return Score(request.key, None, len(scored), size, "refused")
        ids = prompt + scored
        body = {
            "model": self.model,
            "prompt": ids,
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": 0,
        }
        answer = await self._post(
            pool,
            "completions",
            body,
            request.key,
            lambda told: wire.tail_logprob(told, ids, len(scored)) is not None,
        )
        if isinstance(answer, Unanswered):
            return Score(request.key, None, len(scored), size, _failure(answer))
        if answer.status != 200:
            return Score(request.key, None, len(scored), size, wire.failure(answer.text))
        total = wire.tail_logprob(answer.body, ids, len(scored))
        return Score(request.key, min(0.0, total / len(scored)), len(scored), size, "")

    async def _tokenise(
        self, pool: HttpPool, key: str, text: str, *, with_special: bool
    ) -> list[int]:
        body = {"model": self.model, "prompt": text, "add_special_tokens": with_special}
        answer = await self._post(
            pool, "../tokenize", body, key, lambda told: isinstance(told["tokens"], list)
        )
        if isinstance(answer, Unanswered) or answer.status != 200:
            told = answer.detail if isinstance(answer, Unanswered) else answer.text
            raise BackendError(
                f"Scoring must have a vLLM server that tokenises, but {self._named()} says: "
                f"{told}. Serve the model with vLLM, or switch the scoring part off."
            )
        return list(answer.body["tokens"])

    async def _post(
        self,
        pool: HttpPool,
        path: str,
        body: Mapping[str, Any],
        key: str,
        is_good: Callable[[Any], bool],
    ) -> Answered | Unanswered:
        """Send one request; raises BackendError if no server lives or the set-up is wrong."""
        answer = await pool.post(path, body, key, is_good)
        if isinstance(answer, Unanswered):
            if answer.no_server_lives:
                raise self._given_up(answer.detail)
        elif answer.status in _WRONG_SET_UP or 300 <= answer.status < 400:
            raise BackendError(
                f"{answer.url} must serve {self.model!r} to this client, but answers HTTP "
                f"{answer.status} at {path}: {answer.text}. Check `model`, `base_urls` "
                "(they end in /v1) and the key in the variable named by `api_key_env`."
            )
        return answer

    def _given_up(self, detail: str) -> BackendError:
        return BackendError(
            f"At least one of {self._named()} must answer, but none did: {detail}. Start the "
            "server (its /health tells when it is up) or correct `base_urls`, then run the command "
            "again: every reply before this one is kept.",
            retryable=True,
        )

    def _named(self) -> str:
        return ", ".join(self.base_urls)

    def _ask_revision(self) -> str:
        headers = self.headers()
        told: dict[str, str] = {}
        problems = []
        for url in self.base_urls:
            answer = ask_once(url, "models", headers, self.timeout_seconds)
            if isinstance(answer, Unanswered) or answer.status != 200:
                problems.append(
                    answer.detail if isinstance(answer, Unanswered) else f"{url}: {answer.text}"
                )
                continue
            told[url] = self._served(url, answer.body)
        if not told:
            raise self._given_up("; ".join(problems))
        if len(set(told.values())) > 1:
            raise BackendError(
                f"All `base_urls` must serve the same weights, but they say {told}. Serve one "
                "model everywhere, or give `model_revision`."
            )
        return next(iter(told.values()))

    def _served(self, url: str, body: Any) -> str:  # noqa: ANN401 - any JSON
        entries = body.get("data", []) if isinstance(body, dict) else []
        known = {entry.get("id"): entry for entry in entries if isinstance(entry, dict)}
        if self.model not in known:
            raise ConfigError(
                f"`model` must be one that {url} serves ({', '.join(map(str, known))}), but is "
                f"{self.model!r} instead. Correct the name, or start the server with it."
            )
        # The root may be a folder of the server; its path is not ours to publish.
        root = PurePath(str(known[self.model].get("root") or self.model))
        return f"served:{self.model}:{root.name if root.is_absolute() else root}"

    def headers(self) -> dict[str, str]:
        """Return what every request carries; never to be logged.

        Raises:
            ConfigError: If the variable named by `api_key_env` is not set.
        """
        if self.api_key_env is None:
            return {}
        return {"Authorization": f"Bearer {self._api_key(self.api_key_env)}"}

    @staticmethod
    def _api_key(variable: str) -> str:
        key = os.environ.get(variable, "")
        if not key:
            raise ConfigError(
                f"`api_key_env` must name a set environment variable, but {variable!r} is not set. "
                "Export it before the run."
            )
        return key
