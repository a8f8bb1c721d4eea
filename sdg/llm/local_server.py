"""A server process on this machine as a context: started, healthy inside, gone with its workers."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sdg.errors import BackendError
from sdg.llm import server_guard
from sdg.llm.http_answer import Answered
from sdg.llm.http_pool import ask_once

_HOST: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 30.0
_LOG_LETTERS: Final = 3000


def free_port() -> int:
    """Return a port of this machine on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], port: int, environment: Mapping[str, str], start_seconds: float
) -> Iterator[str]:
    """Run a server in the block and yield its base URL, without version.

    However this process ends, the server and everything it started end with it.

    Args:
        command: Starts the server on `port`.
        port: Where `GET /health` tells when it is up.
        environment: Of the server.
        start_seconds: Longest time until it is healthy.

    Raises:
        BackendError: If it ends or is not healthy in time; with the end of what it said.
    """
    url = f"http://{_HOST}:{port}"
    with tempfile.TemporaryFile() as log:
        guard = subprocess.Popen(  # noqa: S603 - the configured server
            [sys.executable, str(Path(server_guard.__file__)), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            _wait_until_healthy(url, guard, start_seconds, command)
        except BackendError as error:
            _stop(guard)
            log.seek(0)
            said = log.read().decode("utf-8", "replace")[-_LOG_LETTERS:].strip()
            raise BackendError(f"{error} It said: {said or 'nothing'}") from error
        try:
            yield url
        finally:
            _stop(guard)


def _wait_until_healthy(
    url: str, guard: subprocess.Popen[bytes], start_seconds: float, command: Sequence[str]
) -> None:
    deadline = time.monotonic() + start_seconds
    while guard.poll() is None and time.monotonic() < deadline:
        answer = ask_once(url, "health", {}, _POLL_SECONDS * 10)
        if isinstance(answer, Answered) and answer.status == 200:
            return
        time.sleep(_POLL_SECONDS)
    status = guard.poll()
    told = f"not within {start_seconds:g} s" if status is None else f"it ended with {status}"
    raise BackendError(
        f"The server `{' '.join(command[:3])} ...` must start and be healthy, but {told}. Check "
        "its settings, that memory is free, and `start_seconds`.",
    )


def _stop(guard: subprocess.Popen[bytes]) -> None:
    if guard.stdin is not None:
        guard.stdin.close()
    try:
        guard.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()
