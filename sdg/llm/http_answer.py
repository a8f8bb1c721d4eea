"""What a server said to one request: an answer for good, or a problem to try again after."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

MAX_WAIT_SECONDS: Final = 60.0
_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_TEXT_LETTERS: Final = 2000


@dataclass(frozen=True, slots=True)
class Answered:
    """A server's answer that no retry would change.

    Attributes:
        status: HTTP status.
        body: Parsed JSON, or None if the body is not JSON.
        text: The first 2,000 characters of the body; "" where it is what was asked for.
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
            request was first sent, or all rest for good: they are at fault, not the request.
        is_late: True if the request ran past its deadline.
    """

    detail: str
    no_server_lives: bool
    is_late: bool = False


class Attempt(NamedTuple):
    """The outcome of sending a request once.

    Attributes:
        answer: What no retry would change, or None.
        problem: What was wrong, if there is no answer.
        wait: Seconds that the server asks to wait.
        status: HTTP status; 0 if there was none.
    """

    answer: Answered | None
    problem: str = ""
    wait: float = 0.0
    status: int = 0


def read_answer(
    status: int,
    raw: bytes,
    headers: Mapping[str, str],
    url: str,
    is_good: Callable[[Any], bool],
) -> Attempt:
    """Return what an HTTP answer means.

    Args:
        status: HTTP status.
        raw: Body.
        headers: Of the answer.
        url: The server's base URL.
        is_good: Whether the JSON of a 200 is what was asked for.
    """
    body = parse_json(raw)
    if status == 200:
        if _is_good(body, is_good):
            return Attempt(Answered(status, body, "", url))
        problem = f"HTTP 200 with an answer that is not what was asked for: {start_of(raw)}"
        return Attempt(None, problem, 0.0, status)
    if status in _RETRYABLE or status >= 500:
        wait = _retry_after(headers.get("Retry-After", ""))
        return Attempt(None, f"HTTP {status}: {start_of(raw)}", wait, status)
    return Attempt(Answered(status, body, start_of(raw), url))


def _is_good(body: Any, is_good: Callable[[Any], bool]) -> bool:  # noqa: ANN401 - any JSON
    try:
        return is_good(body)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        return False


def parse_json(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON in `raw`, or None if it is something else."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def start_of(raw: bytes) -> str:
    """Return the first 2,000 characters of a body."""
    return raw[: 4 * _TEXT_LETTERS].decode("utf-8", "replace")[:_TEXT_LETTERS]


def _retry_after(value: str) -> float:
    """Return the seconds of a Retry-After header, at most a minute; 0 without one."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(MAX_WAIT_SECONDS, max(0.0, seconds))
