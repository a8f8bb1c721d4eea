"""What one server says of itself: which models it serves, and whether it is healthy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdg.errors import BackendError, ConfigError
from sdg.llm.http_answer import Answered, Unanswered
from sdg.llm.http_pool import ask_once

_NO_ENTRY: Final = frozenset({401, 402, 403})
# A server that has no such route, or keeps it to itself.
_NOT_TOLD: Final = frozenset({401, 403, 404, 405, 501})


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server that answers.

    Attributes:
        models: Names of what it serves, in its order; None if it has no list.
        is_healthy: True if its /health says so; None if it has no /health.
        seconds: Until the list was there.
    """

    models: tuple[str, ...] | None
    is_healthy: bool | None
    seconds: float


def look_at(url: str, headers: Mapping[str, str], timeout_seconds: float) -> ServerState:
    """Ask the server at `url` (which ends in the version) what it serves and how it is.

    Raises:
        BackendError: If it does not answer, fails, or says that it is not healthy.
        ConfigError: If it does not let this client in, or does not speak the protocol.
    """
    started = time.monotonic()
    told = ask_once(url, "models", headers, timeout_seconds)
    seconds = time.monotonic() - started
    if isinstance(told, Unanswered):
        raise BackendError(
            f"The server {url} must answer, but did not: {told.detail}. Start it, or correct "
            "`base_urls`.",
            retryable=True,
        )
    models = None if told.status in (404, 405) else _models(url, told)
    health = ask_once(url, "../health", headers, timeout_seconds)
    if isinstance(health, Unanswered) or health.status not in {200, *_NOT_TOLD}:
        said = health.detail if isinstance(health, Unanswered) else f"HTTP {health.status}"
        raise BackendError(
            f"The server {url} must be healthy, but its /health says: {said}. Wait until it is "
            "up, or look at its log and start it again.",
            retryable=True,
        )
    return ServerState(models, True if health.status == 200 else None, seconds)


def check_model(url: str, model: str, state: ServerState) -> None:
    """Do nothing if the server serves `model`, or does not say what it serves.

    Raises:
        ConfigError: If it serves others only.
    """
    if state.models is not None and model not in state.models:
        raise ConfigError(
            f"`model` must be one that {url} serves ({', '.join(state.models) or 'none'}), but is "
            f"{model!r} instead. Correct the name, or start the server with it."
        )


def _models(url: str, told: Answered) -> tuple[str, ...]:
    if told.status in _NO_ENTRY:
        raise ConfigError(
            f"The server {url} must let this client in, but answers HTTP {told.status}: "
            f"{told.text}. Check the key in the variable named by `api_key_env`."
        )
    if told.status >= 500:
        raise BackendError(
            f"The server {url} must say what it serves, but answers HTTP {told.status}: "
            f"{told.text}. Look at its log and start it again.",
            retryable=True,
        )
    entries: Any = told.body.get("data") if isinstance(told.body, dict) else None
    if told.status != 200 or not isinstance(entries, list):
        raise ConfigError(
            f"`base_urls` must name servers that speak the OpenAI protocol, but {url} answers HTTP "
            f"{told.status} at /models: {told.text}. Correct the address (it ends in /v1)."
        )
    return tuple(str(entry.get("id")) for entry in entries if isinstance(entry, dict))
