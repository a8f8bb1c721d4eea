"""A real vLLM server on this machine, started by the engine and asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sdg.llm import ENGINES, ChatRequest, Engine, Message, Sampling, ScoreRequest

PASSAGE = "Passage: The lighthouse of Arvik was built in 1874 by Maria Lund.\nQuestion:"
OTHER = "Passage: Rice noodles are fried with garlic and a little lime.\nQuestion:"
NAME = "packaged:smollm2-135m-instruct"

pytestmark = [pytest.mark.llm, pytest.mark.slow]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    built = ENGINES.build({"engine": "vllm_server", "model": NAME, "max_model_len": 512})
    yield built
    built.close()


def test_a_real_server_writes_scores_and_refuses_like_the_engine_in_process(engine: Engine) -> None:
    assert engine.revision() == ENGINES.build({"engine": "vllm", "model": NAME}).revision()

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
