"""Requests to one or several HTTP servers that do the same work: spread, retried, given up.

The only file that imports httpx. What is retried: no connection, a cut or stalled one, 408, 409,
425, 429 (after Retry-After) and 5xx, each time on the server that is freest and has not just
failed. Everything else is told to the caller at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from sdg.ids import seed_for

_RETRYABLE: Final = frozenset({408, 409, 425, 429})
# A proxy says these of a server that it cannot reach.
_DEAD: Final = frozenset({502, 503, 504})
_MAX_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how long, and when to try again.

    Attributes:
        max_connections: Connections over all servers.
        timeout_seconds: Longest silence before a connection counts as stalled.
        max_attempts: Times a request is sent at most.
        backoff_seconds: Longest wait before the second attempt; doubles with each further one.
            The wait itself is drawn between half of that and all of it.
    """

    max_connections: int
    timeout_seconds: float
    max_attempts: int
    backoff_seconds: float

    def wait_seconds(self, attempt: int, label: str) -> float:
        """Return the wait after failed attempt `attempt` (1-based); a function of both arguments.

        `label` tells requests apart, so that they do not all come back at the same moment.
        """
        longest = min(_MAX_WAIT_SECONDS, self.backoff_seconds * 2.0 ** (attempt - 1))
        return longest * (0.5 + seed_for(attempt, label) / 2.0**64)


@dataclass(frozen=True, slots=True)
class Answered:
    """A server's answer that no retry would change.

    Attributes:
        status: HTTP status.
        body: Parsed JSON, or None if the body is not JSON.
        text: The beginning of the body.
        url: The server's base URL.
    """

    status: int
    body: Any
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request that failed at every attempt.

    Attributes:
        detail: What happened at each attempt.
        no_server_lives: True if no server gave any HTTP answer (but 502, 503, 504) since this
            request was first sent: the servers are at fault, not the request.
    """

    detail: str
    no_server_lives: bool


@dataclass(slots=True)
class _Server:
    url: str
    in_flight: int = 0
    failures_in_a_row: int = 0
    rests_until: float = 0.0
    last_heard: float = float("-inf")


class HttpPool:
    """Servers that are asked in turn; belongs to one event loop.

    Args:
        urls: Base URLs.
        headers: Sent with every request; never logged.
        limits: How much at once, how long, and when to try again.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        urls: Sequence[str],
        headers: Mapping[str, str],
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._servers = [_Server(url) for url in urls]
        self._client = httpx.AsyncClient(
            headers=dict(headers),
            timeout=_timeout(limits.timeout_seconds),
            limits=httpx.Limits(
                max_connections=limits.max_connections,
                max_keepalive_connections=limits.max_connections,
            ),
        )

    async def __aenter__(self) -> HttpPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def post(
        self, path: str, body: Mapping[str, Any], label: str, is_good: Callable[[Any], bool]
    ) -> Answered | Unanswered:
        """Send `body` as JSON until a server answers it for good.

        Args:
            path: Relative to the base URL ("completions", "../tokenize").
            body: JSON.
            label: Tells requests apart in the draw of waits.
            is_good: Whether the JSON of a 200 is what was asked for; if not, it is tried again.
        """
        started = self._clock()
        history: list[str] = []
        for attempt in range(1, self._limits.max_attempts + 1):
            server = self._take()
            answer, problem, asked_to_wait = await self._send(server, path, body, is_good)
            if answer is not None:
                return answer
            history.append(f"attempt {attempt} on {server.url}: {problem}")
            # With another server at hand there is nothing to wait for the first time.
            if attempt < self._limits.max_attempts and (attempt > 1 or not self._has_fresh()):
                wait = max(self._limits.wait_seconds(attempt, label), asked_to_wait)
                await asyncio.sleep(wait)
        lives = any(server.last_heard >= started for server in self._servers)
        return Unanswered("; ".join(history), no_server_lives=not lives)

    def _take(self) -> _Server:
        """Return the freest server, preferring those that have not just failed."""
        now = self._clock()
        server = min(self._servers, key=lambda s: (max(0.0, s.rests_until - now), s.in_flight))
        server.in_flight += 1
        return server

    def _has_fresh(self) -> bool:
        return any(server.rests_until <= self._clock() for server in self._servers)

    async def _send(
        self, server: _Server, path: str, body: Mapping[str, Any], is_good: Callable[[Any], bool]
    ) -> tuple[Answered | None, str, float]:
        """Return the answer, or what was wrong and how long the server asks to wait."""
        answer: Answered | None = None
        asked_to_wait = 0.0
        heard = False
        try:
            response = await self._client.post(_join(server.url, path), json=body)
        except httpx.HTTPError as error:
            problem = _describe(error)
        else:
            problem = ""
            heard = response.status_code not in _DEAD
            answered = _answered(response, server.url)
            if response.status_code in _RETRYABLE or response.status_code >= 500:
                problem = f"HTTP {response.status_code}: {answered.text}"
                asked_to_wait = _retry_after(response)
            elif response.status_code == 200 and not _is_good(answered.body, is_good):
                problem = f"HTTP 200 with an answer that is not what was asked for: {answered.text}"
            else:
                answer = answered
        finally:
            server.in_flight -= 1
        self._settle(server, heard=heard, failed=answer is None, asked_to_wait=asked_to_wait)
        return answer, problem, asked_to_wait

    def _settle(self, server: _Server, *, heard: bool, failed: bool, asked_to_wait: float) -> None:
        now = self._clock()
        if heard:
            server.last_heard = now
        if not failed:
            server.failures_in_a_row, server.rests_until = 0, 0.0
            return
        server.failures_in_a_row += 1
        rest = self._limits.wait_seconds(min(server.failures_in_a_row, 8), server.url)
        server.rests_until = max(server.rests_until, now + max(rest, asked_to_wait))


def ask_once(
    url: str, path: str, headers: Mapping[str, str], timeout_seconds: float
) -> Answered | Unanswered:
    """Send one GET request, without retries."""
    try:
        response = httpx.get(
            _join(url, path), headers=dict(headers), timeout=_timeout(timeout_seconds)
        )
    except httpx.HTTPError as error:
        return Unanswered(f"{_join(url, path)}: {_describe(error)}", no_server_lives=True)
    return _answered(response, url)


def _timeout(seconds: float) -> httpx.Timeout:
    # Waiting for a free connection is no silence of a server.
    return httpx.Timeout(seconds, connect=min(10.0, seconds), pool=None)


def _join(url: str, path: str) -> httpx.URL:
    return httpx.URL(url + "/").join(path)


def _is_good(body: Any, is_good: Callable[[Any], bool]) -> bool:  # noqa: ANN401 - any JSON
    try:
        return is_good(body)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        return False


def _answered(response: httpx.Response, url: str) -> Answered:
    try:
        body = response.json()
    except ValueError:
        body = None
    return Answered(response.status_code, body, response.text[:300], url)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds of a Retry-After header, at most a minute; 0 without one."""
    value = response.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(_MAX_WAIT_SECONDS, max(0.0, seconds))
