from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sdg.errors import BackendError
from sdg.llm.http_answer import Answered, Unanswered
from sdg.llm.http_pool import ask_once
from sdg.llm.local_server import free_port, running
from sdg.llm.vllm_server import VllmServer

# A server with a worker of its own that would live on, as vLLM's do.
SERVER = """
import os, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[2], "w").write(f"{os.getpid()} {worker.pid}")
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
STARTER = """
import os, sys, time
from sdg.llm.local_server import running
port = int(sys.argv[1])
command = [sys.executable, "-c", sys.argv[3], str(port), sys.argv[2]]
with running(command, port, os.environ, 60) as url:
    print(url, flush=True)
    time.sleep(600)
"""


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(map(_is_alive, pids)):
        assert time.monotonic() < deadline, "the server or its worker lives on"
        time.sleep(0.05)


def test_a_server_is_up_inside_and_gone_with_its_worker_outside(tmp_path: Path) -> None:
    port, pids = free_port(), tmp_path / "pids"
    command = [sys.executable, "-c", SERVER, str(port), str(pids)]
    with running(command, port, os.environ, 60) as url:
        assert isinstance(ask_once(url, "health", {}, 5), Answered)
        started = [int(pid) for pid in pids.read_text().split()]
        assert all(map(_is_alive, started))
    _wait_until_gone(started)
    assert isinstance(ask_once(url, "health", {}, 5), Unanswered)


@pytest.mark.slow
def test_a_server_is_gone_when_its_starter_is_killed(tmp_path: Path) -> None:
    port, pids = free_port(), tmp_path / "pids"
    command = [sys.executable, "-c", STARTER, str(port), str(pids), SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None and starter.stdout.readline().startswith("http")
        starter.send_signal(signal.SIGKILL)
    _wait_until_gone([int(pid) for pid in pids.read_text().split()])


def test_a_server_that_ends_at_once_is_told_with_what_it_said() -> None:
    command = [sys.executable, "-c", "print('no memory left'); raise SystemExit(3)"]
    with (
        pytest.raises(BackendError, match=r"(?s)ended with 3.*no memory left"),
        running(command, free_port(), os.environ, 60),
    ):
        pass


def _adapter(folder: Path) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 4}')
    return folder


def server(folder: Path, **fields: Any) -> VllmServer:
    (folder / "config.json").write_text("{}")
    return VllmServer(model=str(folder), python="/opt/vllm/bin/python", **fields)


def test_the_command_passes_model_adapter_and_parallelism(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    adapter = _adapter(tmp_path / "adapter")
    built = server(
        model,
        adapter=str(adapter),
        tensor_parallel_size=2,
        enforce_eager=True,
        extra_arguments=("--reasoning-parser", "qwen3"),
    )
    command = " ".join(built.command(8123))
    assert command.startswith("/opt/vllm/bin/python -m vllm.entrypoints.openai.api_server")
    for part in (
        f"--model {model} --host 127.0.0.1 --port 8123",
        f"--lora-modules pairmill={adapter}",
        "--enable-lora",
        "--max-lora-rank 8",
        "--tensor-parallel-size 2",
        "--enforce-eager",
        "--dtype bfloat16",
        "--reasoning-parser qwen3",
    ):
        assert part in command


def test_model_adapter_and_arguments_decide_and_speed_does_not(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    plain = server(model)
    same = server(model, max_in_flight=2, tensor_parallel_size=2, gpus=8, price_per_gpu_hour=2.0)
    assert plain.identity() == same.identity()
    adapter = _adapter(tmp_path / "adapter")
    changes: list[dict[str, Any]] = [
        {"adapter": str(adapter)},
        {"dtype": "float16"},
        {"max_model_len": 99},
        {"model_revision": "r2"},
        {"extra_arguments": ("--x",)},
    ]
    for change in changes:
        assert server(model, **change).identity() != plain.identity(), change
    before = server(model, adapter=str(adapter)).identity()
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    assert server(model, adapter=str(adapter)).identity() != before
