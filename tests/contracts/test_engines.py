"""What every engine must keep, whatever answers behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sdg.llm import ENGINES, ChatRequest, Engine, Message, Sampling, ScoreRequest
from tests.sdg.llm.mock_server import MODEL, running_server

PASSAGE = "The lighthouse of Arvik was built in 1874 by the engineer Maria Lund on a granite reef."
SCHEMA = '{"properties":{"query":{"type":"string"}},"type":"object"}'


@pytest.fixture(params=["scripted", "openai"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "scripted":
        yield ENGINES.build({"engine": "scripted"})
        return
    with running_server() as server:
        built = ENGINES.build({"engine": "openai", "base_urls": [server.url], "model": MODEL})
        yield built
        built.close()


def chat(key: str, *, seed: int = 0, **sampling: int) -> ChatRequest:
    text = f"{PASSAGE} This is copy {key}."
    return ChatRequest(key, text, (), Sampling(**sampling), seed)  # type: ignore[arg-type]


def test_every_registered_engine_is_covered_here_or_needs_a_model() -> None:
    assert list(ENGINES) == ["batch_file", "openai", "scripted", "vllm", "vllm_server"]


def test_complete_answers_each_request_once_with_the_candidates_asked_for(engine: Engine) -> None:
    requests = [chat(f"r{i}", num_candidates=1 + i % 3) for i in range(20)]
    replies = list(engine.complete(requests))
    assert sorted((r.key, len(r.candidates), r.failure) for r in replies) == sorted(
        (request.key, request.sampling.num_candidates, "") for request in requests
    )
    for reply in replies:
        assert {c.finish_reason for c in reply.candidates} <= {"stop", "length"}
        assert all(c.mean_logprob is None or c.mean_logprob <= 0 for c in reply.candidates)
        assert reply.prompt_tokens > 0 and reply.completion_tokens > 0


def test_complete_yields_an_answer_before_the_batch_is_through(engine: Engine) -> None:
    stream = engine.complete([chat(f"r{i}") for i in range(50)])
    assert next(stream).failure == ""
    stream.close()  # type: ignore[attr-defined]


def test_complete_of_nothing_yields_nothing(engine: Engine) -> None:
    assert list(engine.complete([])) == []
    assert list(engine.score([])) == []


def test_messages_and_schema_give_json_of_the_schema(engine: Engine) -> None:
    messages = (Message("system", "You write queries."), Message("user", PASSAGE))
    request = ChatRequest("m", "", messages, Sampling(), 0, SCHEMA)
    (reply,) = engine.complete([request])
    assert reply.candidates[0].text.startswith('{"query": "')


def test_score_is_at_most_zero_and_counts_the_continuation_only(engine: Engine) -> None:
    requests = [
        ScoreRequest("own", PASSAGE, " the lighthouse of Arvik"),
        ScoreRequest("other", "Rice noodles are fried with garlic.", " the lighthouse of Arvik"),
    ]
    scores = {score.key: score for score in engine.score(requests)}
    assert scores["own"].num_tokens == scores["other"].num_tokens == 4
    assert scores["own"].prompt_tokens > 4
    assert scores["own"].mean_logprob is not None and scores["other"].mean_logprob is not None
    assert scores["other"].mean_logprob < scores["own"].mean_logprob <= 0


def test_score_without_continuation_is_a_failure_not_a_number(engine: Engine) -> None:
    (score,) = engine.score([ScoreRequest("e", PASSAGE, "")])
    assert (score.mean_logprob, score.failure) == (None, "refused")


def test_groups_hold_every_answer_once(engine: Engine) -> None:
    requests = [chat(f"r{i}") for i in range(20)]
    groups = list(engine.complete_in_groups(requests))
    assert all(groups)
    assert sorted(r.key for group in groups for r in group) == sorted(r.key for r in requests)


@pytest.mark.parametrize("name", ["openai", "scripted", "batch_file"])
def test_what_an_engine_costs_does_not_decide_its_replies(name: str) -> None:
    settings: dict[str, dict[str, Any]] = {
        "openai": {"base_urls": ["http://h/v1"], "model": "m"},
        "batch_file": {"folder": "f", "model": "m", "model_revision": "r"},
        "scripted": {},
    }
    needed = settings[name]
    price = {"prompt": 1.0, "completion": 2.0}
    costs = {"gpus": 4, "price_per_gpu_hour": 2.5, "price_per_million_tokens": price}
    plain = ENGINES.build({"engine": name, **needed})
    assert ENGINES.build({"engine": name, **needed, **costs}).identity() == plain.identity()


def test_identity_and_revision_are_stable_text(engine: Engine) -> None:
    assert engine.identity() == engine.identity()
    assert engine.identity()["name"] == engine.name
    assert engine.revision() == engine.revision() != ""


def test_close_twice_does_nothing_and_the_engine_answers_again(engine: Engine) -> None:
    before = list(engine.complete([chat("a")]))
    engine.close()
    engine.close()
    assert list(engine.complete([chat("a")])) == before


def test_two_threads_each_get_their_own_answers(engine: Engine) -> None:
    found: dict[str, set[str]] = {}

    def ask(name: str) -> None:
        replies = engine.complete([chat(f"{name}{i}") for i in range(30)])
        found[name] = {reply.key for reply in replies}

    threads = [threading.Thread(target=ask, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: {f"{name}{i}" for i in range(30)} for name in "ab"}


def test_the_key_of_a_request_does_not_change_its_answer(engine: Engine) -> None:
    request = chat("a")
    (first,) = engine.complete([request])
    (second,) = engine.complete([replace(request, key="b")])
    assert replace(second, key="a") == first
