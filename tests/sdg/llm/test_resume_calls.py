"""SIGKILL in the middle of a batch, then the same again: what was answered is not sent again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.mock_llm import running_mock
from sdg.llm.http_answer import Answered
from sdg.llm.http_pool import ask_once

IN_FLIGHT = 64
WORKER = """
import hashlib, sys
from pathlib import Path
from benchmarks.llm_client import requests
from benchmarks.mock_llm import MODEL
from sdg.llm import ENGINES
from sdg.llm.journal import Journal
engine = ENGINES.build(
    {"engine": "openai", "base_urls": [sys.argv[1]], "model": MODEL, "max_in_flight": 64,
     "adaptive": False}
)
digest = hashlib.sha256()
with Journal(Path(sys.argv[2])) as journal:
    for reply in journal.complete_in_blocks(engine, requests(int(sys.argv[3]))):
        digest.update(f"{reply.key} {reply.candidates[0].text}".encode())
print(digest.hexdigest())
"""


def came(url: str) -> int:
    answer = ask_once(url, "../count", {}, 30)
    assert isinstance(answer, Answered), answer
    return int(answer.body)


@pytest.mark.slow
@pytest.mark.parametrize("count", [4_000, 20_000])
def test_a_kill_at_half_costs_no_more_calls_than_were_in_flight(tmp_path: Path, count: int) -> None:
    with running_mock() as url:
        command = [sys.executable, "-c", WORKER, url, str(tmp_path / "j.db"), str(count)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as victim:
            deadline = time.monotonic() + 300
            while came(url) < count // 2:
                assert time.monotonic() < deadline and victim.poll() is None
                time.sleep(0.02)
            victim.send_signal(signal.SIGKILL)
        killed_at = came(url)
        assert count // 2 <= killed_at < count
        resumed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert count <= came(url) <= count + IN_FLIGHT
        sent = came(url)
        again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert (again, came(url)) == (resumed, sent)
        if count == 4_000:
            command[-2] = str(tmp_path / "fresh.db")
            fresh = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert fresh == resumed
