"""A reranker behind HTTP as a judge: `vllm serve` with a ranking model, or another server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pydantic import Field, JsonValue

from sdg.errors import BackendError, ConfigError
from sdg.judge import JUDGES
from sdg.judge.scoring import ScoringJudge
from sdg.llm.http_answer import Answered, Unanswered
from sdg.llm.http_pool import HttpPool, Limits

# No server has a reason to refuse these but one that refuses everything.
_SHORT_QUERY, _SHORT_DOCUMENT = "red fruit", "Cherries are red."
# Fields of servers that let them read less than they are sent: vLLM's `truncate_prompt_tokens`,
# `truncate` and `truncation` of others, `max_tokens_per_doc`.
_CUTTING = ("trunc", "max_tokens", "max_chunks", "max_length")
_OFF = (None, False, "NONE", "none")


@dataclass(slots=True)
class _Calls:
    """The calls of one batch.

    Attributes:
        pool: Sends them.
        has_ranked: Whether a server has given scores yet.
        proof: Held while a server is asked whether it ranks at all, so that it is asked once.
    """

    pool: HttpPool
    has_ranked: bool = False
    proof: asyncio.Lock = field(default_factory=asyncio.Lock)


@JUDGES.register("rerank_server")
class RerankServer(ScoringJudge):
    """Servers with the route `rerank`: {model, query, documents} -> results of index and score.

    One call per query holds its positives and all its candidates; where the server refuses it, its
    halves are asked, so that one document that is too long costs its own score only. Where a
    batch is refused before it has any score, the server is asked about two short texts: one that
    refuses those refuses everything, which is an error and says nothing of the rows. What a
    finished shard holds is not asked again; unlike answers of LLMs, single calls are not kept in
    the journal.

    Attributes:
        base_urls: One or several, each ending in the version ("http://gpu1:8000/v1").
        model: The name that the servers know it by.
        model_revision: What pins the weights, in the user's words.
        extra_body: More fields of every call, as the server takes them: vLLM cuts what is too long
            with `truncate_prompt_tokens: -1`, and does not say which, so that the card can only say
            that it may have; they decide the scores.
        api_key_env: Name of the environment variable that holds the key.
        max_in_flight: Calls at the same time; speed only, like everything below.
        timeout_seconds: Longest silence of a server before its call is tried elsewhere.
        max_attempts: Times that a call is sent at most.
        backoff_seconds: Longest wait before the second attempt; doubles each time.
    """

    base_urls: tuple[str, ...] = Field(min_length=1)
    model: str = Field(min_length=1)
    model_revision: str
    extra_body: dict[str, JsonValue] = {}  # noqa: RUF012 - pydantic copies defaults
    api_key_env: str | None = None
    max_in_flight: int = Field(default=32, ge=1, le=1024)
    timeout_seconds: float = Field(default=600.0, gt=0)
    max_attempts: int = Field(default=6, ge=1)
    backoff_seconds: float = Field(default=1.0, ge=0)

    def identity(self) -> dict[str, Any]:
        """Return bound, model and given revision; URLs and speed are left out."""
        kept = ("fraction", "margin", "threshold", "model", "model_revision", "extra_body")
        return {"name": self.name, "version": self.version, **self.model_dump(include=set(kept))}

    def revision(self) -> str:
        """Return the revision that the configuration names."""
        return self.model_revision

    def may_cut(self) -> str:
        """Return which fields of `extra_body` let the server cut texts; "" if none does."""
        told = sorted(
            name
            for name, value in self.extra_body.items()
            if value not in _OFF and any(part in name.lower() for part in _CUTTING)
        )
        if not told:
            return ""
        return (
            f"The judge {self.name} sends {', '.join(told)}: its server may have read beginnings "
            "only, and does not say of which texts."
        )

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return one score per pair; NaN where the server refused the call.

        Raises:
            BackendError: If no server answers, or the server refuses two short texts, too.
            ConfigError: If the variable named by `api_key_env` is not set.
        """
        groups = [
            (query, [text for _, text in own]) for query, own in groupby(pairs, lambda p: p[0])
        ]
        try:
            found = asyncio.run(self._ask_all(groups, self.headers()))
        except ExceptionGroup as group:
            # Calls run side by side, so one failure comes wrapped with what it cancelled.
            failed = group.subgroup(BackendError)
            if failed is None:
                raise
            raise failed.exceptions[0] from group
        return [score for scores in found for score in scores]

    async def _ask_all(
        self, groups: Sequence[tuple[str, list[str]]], headers: dict[str, str]
    ) -> list[list[float]]:
        limits = Limits(
            self.max_in_flight, self.timeout_seconds, self.max_attempts, self.backoff_seconds
        )
        slots = asyncio.Semaphore(self.max_in_flight)
        urls = [url.rstrip("/") for url in self.base_urls]
        async with HttpPool(urls, headers, limits) as pool:
            calls = _Calls(pool)

            async def one(query: str, documents: list[str]) -> list[float]:
                async with slots:
                    return await self._ask(calls, query, documents)

            async with asyncio.TaskGroup() as tasks:
                asked = [tasks.create_task(one(*group)) for group in groups]
        return [task.result() for task in asked]

    async def _ask(self, calls: _Calls, query: str, documents: list[str]) -> list[float]:
        answer = await self._send(calls.pool, query, documents)
        if answer.status == 200:
            calls.has_ranked = True
            return _read(answer.body, len(documents))
        async with calls.proof:
            if not calls.has_ranked:
                await self._prove_ranks(calls)
        if len(documents) == 1:
            return [float("nan")]
        middle = len(documents) // 2
        halves = documents[:middle], documents[middle:]
        return [score for half in halves for score in await self._ask(calls, query, half)]

    async def _send(self, pool: HttpPool, query: str, documents: list[str]) -> Answered:
        own = {"model": self.model, "query": query, "documents": documents}
        body = {**self.extra_body, **own}
        answer = await pool.post(
            "rerank", body, query, lambda told: _read(told, len(documents)) is not None
        )
        if isinstance(answer, Unanswered) or answer.status in (401, 403, 404, 405):
            raise self._given_up(answer)
        return answer

    async def _prove_ranks(self, calls: _Calls) -> None:
        """Raise if the server refuses two short texts: what it refused before says nothing then."""
        answer = await self._send(calls.pool, _SHORT_QUERY, [_SHORT_DOCUMENT])
        if answer.status != 200:
            raise self._given_up(answer)
        calls.has_ranked = True

    def _given_up(self, answer: Answered | Unanswered) -> BackendError:
        if isinstance(answer, Unanswered):
            told = answer.detail
        else:
            told = f"HTTP {answer.status}: {answer.text}"
        return BackendError(
            f"The judge rerank_server must have a server that ranks with {self.model!r}, but "
            f"{', '.join(self.base_urls)} says: {told}. Start one whose model ranks, or correct "
            "`base_urls` (they end in /v1), `model` or `extra_body`; then run the command again.",
            retryable=isinstance(answer, Unanswered),
        )

    def headers(self) -> dict[str, str]:
        """Return what every call carries; never to be logged.

        Raises:
            ConfigError: If the variable named by `api_key_env` is not set.
        """
        if self.api_key_env is None:
            return {}
        key = os.environ.get(self.api_key_env, "")
        if not key:
            raise ConfigError(
                f"`api_key_env` must name a set environment variable, but {self.api_key_env!r} is "
                "not set. Export it before the run."
            )
        return {"Authorization": f"Bearer {key}"}


def _read(body: Any, count: int) -> list[float]:  # noqa: ANN401 - any JSON value
    """Return the scores in the order of the documents; raises if the answer is something else."""
    scores = {int(entry["index"]): float(entry["relevance_score"]) for entry in body["results"]}
    return [scores[index] for index in range(count)]
