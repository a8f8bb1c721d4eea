"""A real vLLM server on this machine, asked over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sdg.llm import ENGINES, ChatRequest, Engine, Message, Sampling, ScoreRequest
from sdg.llm.packaged_weights import ensure_model
from sdg.vllm_process import set_process_defaults
from tests.sdg.llm.mock_server import closed_port

PASSAGE = "Passage: The lighthouse of Arvik was built in 1874 by Maria Lund.\nQuestion:"
OTHER = "Passage: Rice noodles are fried with garlic and a little lime.\nQuestion:"
START_SECONDS = 240

pytestmark = [pytest.mark.llm, pytest.mark.slow]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    port = closed_port()
    environment = dict(os.environ)
    set_process_defaults(environment)
    del environment["VLLM_ENABLE_V1_MULTIPROCESSING"]
    environment["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
    folder = ensure_model("packaged:smollm2-135m-instruct")
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(folder), "--served-model-name", "tiny", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--max-model-len", "512", "--enforce-eager"]
    command += ["--block-size", "32", "--gpu-memory-utilization", "0.3"]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w", encoding="utf-8") as output:
        # A group of its own: killing the server alone would leave its workers behind.
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}/health", process, log)
        yield ENGINES.build(
            {"engine": "openai", "base_urls": [f"http://127.0.0.1:{port}/v1"], "model": "tiny"}
        )
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    pytest.fail(f"the server did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


def test_a_real_server_writes_scores_and_refuses_like_the_engine_in_process(engine: Engine) -> None:
    assert engine.revision().startswith("served:tiny:")

    sampling = Sampling(temperature=0.7, max_tokens=16, stop=("\n",), num_candidates=4)
    turns = (Message("user", "Write a search query about a lighthouse."),)
    schema = (
        '{"additionalProperties":false,"properties":{"query":{"maxLength":20,"type":"string"}},'
        '"required":["query"],"type":"object"}'
    )
    requests = [
        ChatRequest("prompt", PASSAGE, (), sampling, 1),
        ChatRequest("chat", "", turns, Sampling(max_tokens=48), 1, schema),
        ChatRequest("long", "word " * 600, (), sampling, 1),
    ]
    replies = {reply.key: reply for reply in engine.complete(requests)}
    assert {key: reply.failure for key, reply in replies.items()} == {
        "prompt": "",
        "chat": "",
        "long": "too_long",
    }
    assert len(replies["prompt"].candidates) == 4
    for reply in (replies["prompt"], replies["chat"]):
        assert all(c.mean_logprob is not None and c.mean_logprob < 0 for c in reply.candidates)
        assert reply.prompt_tokens > 10 and reply.completion_tokens > 3
    assert replies["chat"].candidates[0].text.lstrip().startswith("{")

    query = " who built the lighthouse of Arvik"
    pairs = [
        ScoreRequest("own", PASSAGE, query),
        ScoreRequest("other", OTHER, query),
        ScoreRequest("long", "word " * 600, query),
    ]
    scores = {score.key: score for score in engine.score(pairs)}
    assert scores["long"].failure == "too_long"
    assert scores["own"].num_tokens == scores["other"].num_tokens > 4
    assert scores["own"].mean_logprob is not None and scores["other"].mean_logprob is not None
    assert scores["other"].mean_logprob < scores["own"].mean_logprob < 0
