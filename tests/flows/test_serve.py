"""A schedule on a real Prefect server: the flow runs when due and leaves its artifacts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flows.small import settings, write_config

pytestmark = pytest.mark.slow


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start a Prefect server on SQLite and yield the environment that points to it."""
    port = _free_port()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{tmp_path}/prefect.db",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    for name in ("PREFECT_TESTING_TEST_MODE", "PREFECT_TEST_MODE"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    process = subprocess.Popen(
        command,
        env=environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(lambda: _is_healthy(environment["PREFECT_API_URL"]), 120, "a healthy server")
        yield environment
    finally:
        _stop(process)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _wait(is_done: object, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_done():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.5)


def test_a_served_schedule_runs_on_time_and_stores_card_and_counts(
    server: dict[str, str], small_corpus: Path, tmp_path: Path
) -> None:
    values = {**settings(small_corpus), "schedule": {"cron": "* * * * *"}}
    config = write_config(tmp_path / "c.yaml", values)
    url = server["PREFECT_API_URL"]
    serve = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "serve", str(config), "--out", str(tmp_path / "out")],
        env=server,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def completed() -> list[dict[str, object]]:
        body = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        runs = httpx.post(f"{url}/flow_runs/filter", json=body, timeout=10).json()
        return [run for run in runs if run["deployment_id"]]

    try:
        _wait(lambda: bool(completed()), 240, "a completed scheduled run")
    finally:
        _stop(serve)
    run = completed()[0]
    due, started = str(run["expected_start_time"]), str(run["start_time"])
    late = _seconds(started) - _seconds(due)
    assert -5 < late < 30, f"due {due}, started {started}"
    assert (tmp_path / "out" / "small" / "manifest.json").exists()
    artifacts = httpx.post(f"{url}/artifacts/filter", json={}, timeout=10).json()
    by_key = {artifact["key"]: artifact for artifact in artifacts}
    assert "Invented towns" in by_key["pairmill-card"]["data"]
    assert '"stage": "mine"' in str(by_key["pairmill-counts"]["data"])


def _seconds(stamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()
