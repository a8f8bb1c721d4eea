"""kill -9 at any moment, run again: the same bytes, and no finished request is sent again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flows.small import pairmill, published, settings, write_config

pytestmark = pytest.mark.slow


def _start(config: Path, out: Path, home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "build", str(config), "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PREFECT_HOME": str(home)},
    )


def _kill_when(process: subprocess.Popen[bytes], is_there: Path) -> None:
    """Kill the whole process group as soon as something lies in `is_there`."""
    deadline = time.monotonic() + 120
    while not (is_there.exists() and (not is_there.is_dir() or any(is_there.iterdir()))):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"{is_there} never appeared"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    ("delay", "moment"),
    [
        pytest.param(0.02, "requests.log", id="during-generation"),
        pytest.param(0.0, "out/.work/stages/mine", id="during-mining"),
        pytest.param(0.0, "out/.work/publish", id="during-publishing"),
    ],
)
def test_a_killed_run_resumes_to_the_same_bytes_and_sends_nothing_twice(
    small_corpus: Path, small_data_set: Path, tmp_path: Path, delay: float, moment: str
) -> None:
    log, out, home = tmp_path / "requests.log", tmp_path / "out", tmp_path / "home"
    values = settings(small_corpus, delay_seconds=delay, log_file=str(log))
    config = write_config(tmp_path / "c.yaml", values)

    _kill_when(_start(config, out, home), tmp_path / moment)
    assert not (out / "manifest.json").exists()
    sent_before = log.read_text().splitlines()

    result = pairmill("build", config, "--out", out, home=home)
    assert result.returncode == 0, result.stderr
    sent = log.read_text().splitlines()
    assert len(sent) > 0
    # The request in flight when the process died was answered but could not be written down.
    assert len(sent) - len(set(sent)) <= 1
    if moment != "requests.log":
        assert sent == sent_before

    ours, theirs = published(out), published(small_data_set)
    assert {k: v for k, v in ours.items() if k.endswith(".parquet")} == {
        k: v for k, v in theirs.items() if k.endswith(".parquet")
    }
    again = tmp_path / "uninterrupted"
    assert pairmill("build", config, "--out", again, home=home).returncode == 0
    assert published(again) == ours


def test_an_interrupt_ends_at_once_and_leaves_no_process(
    small_corpus: Path, tmp_path: Path
) -> None:
    log = tmp_path / "requests.log"
    values = settings(small_corpus, delay_seconds=0.5, log_file=str(log))
    process = _start(write_config(tmp_path / "c.yaml", values), tmp_path / "out", tmp_path / "home")
    deadline = time.monotonic() + 120
    while not log.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    time.sleep(3)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
