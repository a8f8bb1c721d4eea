"""Requests to one or several HTTP servers that do the same work: spread, retried, given up.

The only file that imports aiohttp. What is retried: no connection, a cut or stalled one, 408, 409,
425, 429 (after Retry-After) and 5xx, each time on the server that is freest and has not just
failed. Everything else is told to the caller at once. How much each server is given is decided in
`server_load`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.request import getproxies

import aiohttp
from yarl import URL

from sdg.ids import seed_for
from sdg.llm.http_answer import (
    MAX_WAIT_SECONDS,
    Answered,
    Attempt,
    Unanswered,
    parse_json,
    read_answer,
    start_of,
)
from sdg.llm.server_load import ServerLoad, read_queue

# A proxy says these of a server that it cannot reach.
_DEAD: Final = frozenset({502, 503, 504})
_TOO_MANY: Final = 429
_OVERLOADED: Final = frozenset({_TOO_MANY, 503})
_CONNECT_SECONDS: Final = 10.0
_METRICS_EVERY_SECONDS: Final = 1.0
_FAILURES: Final = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how long, and when to try again.

    Attributes:
        max_in_flight: Requests under way over all servers.
        timeout_seconds: Longest wait for one answer before a connection counts as stalled.
        max_attempts: Times a request is sent at most.
        backoff_seconds: Longest wait before the second attempt; doubles with each further one.
            The wait itself is drawn between half of that and all of it.
        deadline_seconds: Longest time for one request from its first attempt on, waits included.
        is_adaptive: Whether the number under way follows what the servers can take.
    """

    max_in_flight: int
    timeout_seconds: float
    max_attempts: int
    backoff_seconds: float
    deadline_seconds: float = float("inf")
    is_adaptive: bool = True

    def wait_seconds(self, attempt: int, label: str) -> float:
        """Return the wait after failed attempt `attempt` (1-based); a function of both arguments.

        `label` tells requests apart, so that they do not all come back at the same moment.
        """
        longest = min(MAX_WAIT_SECONDS, self.backoff_seconds * 2.0 ** (attempt - 1))
        return longest * (0.5 + seed_for(attempt, label) / 2.0**64)


class _Place(NamedTuple):
    server: ServerLoad
    is_probe: bool


class HttpPool:
    """Servers that are asked in turn; belongs to the event loop that it is made in.

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
        self._loop = asyncio.get_running_loop()
        most = limits.max_in_flight
        self.servers = [ServerLoad(url, most, limits.is_adaptive) for url in urls]
        self._in_flight = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._timeout = aiohttp.ClientTimeout(
            total=limits.timeout_seconds, sock_connect=min(_CONNECT_SECONDS, limits.timeout_seconds)
        )
        self._session = aiohttp.ClientSession(
            headers={"Content-Type": "application/json", **headers},
            timeout=self._timeout,
            # The number of connections is bounded by the requests under way.
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Looking for proxies costs as much as the request: only where there is one.
            trust_env=bool(getproxies()),
        )
        watched = self.servers if limits.is_adaptive else []
        self._watches = [self._loop.create_task(self._watch(server)) for server in watched]

    async def __aenter__(self) -> HttpPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; requests under way fail."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await self._session.close()

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
        data = json.dumps(body).encode()
        history: list[str] = []
        started = float("inf")
        for attempt in range(1, self._limits.max_attempts + 1):
            place = await self._take()
            if place is None:
                return Unanswered("; ".join([*history, self._problems()]), no_server_lives=True)
            started = min(started, self._clock())
            left = started + self._limits.deadline_seconds - self._clock()
            if left <= 0:
                self._leave(place)
                break
            server = place.server
            told = await self._send(place, path, data, is_good, left)
            if told.answer is not None:
                return told.answer
            history.append(f"attempt {attempt} on {server.url}: {told.problem}")
            # With another server at hand there is nothing to wait for the first time.
            if attempt < self._limits.max_attempts and (attempt > 1 or not self._has_other(server)):
                wait = max(self._limits.wait_seconds(attempt, label), told.wait)
                left = started + self._limits.deadline_seconds - self._clock()
                await asyncio.sleep(max(0.0, min(wait, left)))
        is_late = self._clock() - started >= self._limits.deadline_seconds
        if is_late:
            history.append(f"no answer in {self._limits.deadline_seconds:g} s")
        lives = any(server.last_heard >= started for server in self.servers)
        return Unanswered("; ".join(history), not lives and not is_late, is_late)

    async def _take(self) -> _Place | None:
        """Return a place at the freest server that has not just failed; None if all are gone."""
        while not self._all_gone(now := self._clock()):
            if self._in_flight < self._limits.max_in_flight:
                free = [server for server in self.servers if server.is_free(now)]
                if free:
                    server = min(free, key=lambda s: (s.failures_in_a_row > 0, s.in_flight))
                    taken = _Place(server, server.take())
                    self._in_flight += 1
                    # There may be room for more than the one whose turn it was.
                    if self._line and any(other.is_free(now) for other in self.servers):
                        self._call_next()
                    return taken
            turn = self._loop.create_future()
            self._line.append(turn)
            rests = [server.rests_until for server in self.servers if server.rests_until > now]
            timer = self._loop.call_later(min(rests) - now, self._call_next) if rests else None
            try:
                await turn
            except asyncio.CancelledError:
                # The turn goes to the next one, or it would be lost.
                if turn.done() and not turn.cancelled():
                    self._call_next()
                raise
            finally:
                if timer is not None:
                    timer.cancel()
        self._call_next()
        return None

    def _all_gone(self, now: float) -> bool:
        """Return whether every server has failed as often as a request is tried, and rests."""
        most = self._limits.max_attempts
        return all(s.trips >= most and now < s.rests_until for s in self.servers)

    def _leave(self, place: _Place) -> None:
        place.server.leave(is_probe=place.is_probe)
        self._in_flight -= 1
        self._call_next()

    def _call_next(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _has_other(self, failed: ServerLoad) -> bool:
        now = self._clock()
        fresh = (s for s in self.servers if s is not failed and not s.failures_in_a_row)
        return any(server.rests_until <= now for server in fresh)

    def _problems(self) -> str:
        return "; ".join(f"{server.url}: {server.last_problem}" for server in self.servers)

    async def _send(
        self,
        place: _Place,
        path: str,
        data: bytes,
        is_good: Callable[[Any], bool],
        left: float,
    ) -> Attempt:
        """Return the outcome of one attempt, which may take `left` seconds."""
        server = place.server
        url = _join(server.url, path)
        started = self._clock()
        timeout = self._timeout
        if left < self._limits.timeout_seconds:
            timeout = aiohttp.ClientTimeout(total=left, sock_connect=timeout.sock_connect)
        try:
            async with self._session.post(
                url, data=data, timeout=timeout, allow_redirects=False
            ) as response:
                raw = await response.read()
        except _FAILURES as error:
            if isinstance(error, TimeoutError):
                server.overloaded(self._clock(), 0.0)
            told = Attempt(None, _describe(error))
        else:
            told = read_answer(response.status, raw, response.headers, server.url, is_good)
            self._heard(server, response.status, told)
        finally:
            self._leave(place)
        now = self._clock()
        if told.answer is not None:
            # A refusal comes at once, whatever the server has to do.
            server.succeeded(now - started if told.answer.status == 200 else None)
        elif told.status != _TOO_MANY:
            server.failed(now, told.problem, lambda n: self._limits.wait_seconds(n, server.url))
        return told

    def _heard(self, server: ServerLoad, status: int, told: Attempt) -> None:
        now = self._clock()
        if status not in _DEAD:
            server.last_heard = now
        if status in _OVERLOADED:
            server.overloaded(now, told.wait)

    async def _watch(self, server: ServerLoad) -> None:
        """Follow the queue of a vLLM server; ends if the server has no such figures."""
        url = _join(server.url, "../metrics")
        timeout = aiohttp.ClientTimeout(total=_CONNECT_SECONDS)
        while True:
            try:
                async with self._session.get(url, timeout=timeout, allow_redirects=False) as told:
                    text = (await told.read()).decode("utf-8", "replace")
                    status = told.status
            except _FAILURES:
                status, text = 0, ""
            queue = read_queue(text) if status == 200 else None
            if queue is not None:
                server.told(queue)
                for _ in range(max(0, int(server.share) - server.in_flight)):
                    self._call_next()
            elif status in (200, 401, 403, 404, 405):
                return
            await asyncio.sleep(_METRICS_EVERY_SECONDS)


def ask_once(
    url: str, path: str, headers: Mapping[str, str], timeout_seconds: float
) -> Answered | Unanswered:
    """Send one GET request, without retries; must not be called from an event loop."""

    async def get() -> Answered | Unanswered:
        timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, sock_connect=min(_CONNECT_SECONDS, timeout_seconds)
        )
        async with aiohttp.ClientSession(
            headers=dict(headers), timeout=timeout, trust_env=True
        ) as session:
            try:
                async with session.get(_join(url, path), allow_redirects=False) as response:
                    raw = await response.read()
            except _FAILURES as error:
                told = f"{_join(url, path)}: {_describe(error)}"
                return Unanswered(told, no_server_lives=True)
        body = parse_json(raw)
        return Answered(response.status, body, start_of(raw), url)

    # A thread of its own: the caller's may be running an event loop.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, get()).result()


@lru_cache(maxsize=64)
def _join(url: str, path: str) -> URL:
    return URL(url + "/").join(URL(path))


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
