from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sdg.errors import BackendError, ConfigError
from sdg.llm import (
    ENGINES,
    Candidate,
    ChatRequest,
    Engine,
    Message,
    Reply,
    Sampling,
    ScoreRequest,
    openai_server,
)
from sdg.llm.http_pool import Limits
from sdg.llm.journal import Journal
from tests.sdg.llm.mock_server import KEY, MODEL, Asked, MockServer, closed_port, running_server


@pytest.fixture
def server() -> Iterator[MockServer]:
    with running_server() as running:
        yield running


def engine_for(*servers: MockServer | str, **fields: Any) -> Engine:
    urls = [server if isinstance(server, str) else server.url for server in servers]
    quick = {"backoff_seconds": 0.02, "max_attempts": 3, "timeout_seconds": 60.0}
    settings = {"engine": "openai", "base_urls": urls, "model": MODEL, **quick, **fields}
    return ENGINES.build(settings)


def ask(key: str, **sampling: Any) -> ChatRequest:
    return ChatRequest(key, f"prompt {key}", (), Sampling(**sampling), 7)


@pytest.mark.parametrize("fault", ["500", "429", "stall", "cut", "garbage", "half", "short"])
def test_a_fault_that_passes_is_tried_again_and_answered(server: MockServer, fault: str) -> None:
    server.misbehave = lambda asked: fault if asked.times == 0 else ""
    # Only a stall may end by time: on a busy machine a good answer takes its time too.
    quick = {"timeout_seconds": 2.0, "max_attempts": 8} if fault == "stall" else {}
    engine = engine_for(server, **quick)
    replies = list(engine.complete([ask(f"r{i}") for i in range(3)]))
    assert sorted((r.key, r.failure, r.candidates[0].text) for r in replies) == [
        (f"r{i}", "", f"re prompt r{i} #0") for i in range(3)
    ]
    assert len(server.bodies) >= 6
    assert fault == "stall" or len(server.bodies) == 6


def test_retry_after_is_waited_for(server: MockServer) -> None:
    server.misbehave = lambda asked: "429" if asked.times == 0 else ""
    started = time.monotonic()
    list(engine_for(server).complete([ask("a")]))
    assert time.monotonic() - started >= 0.3


def test_one_bad_request_is_a_failure_and_the_others_are_answered(server: MockServer) -> None:
    server.misbehave = lambda asked: "500" if asked.body["prompt"] == "prompt r3" else ""
    replies = {r.key: r for r in engine_for(server).complete([ask(f"r{i}") for i in range(8)])}
    assert {key for key, reply in replies.items() if reply.failure} == {"r3"}
    assert replies["r3"].failure == "server_error"
    assert "attempt 3" in replies["r3"].detail and "engine is dead" in replies["r3"].detail


@pytest.mark.parametrize(("fault", "failure"), [("400", "refused"), ("too_long", "too_long")])
def test_a_refusal_is_not_tried_again(server: MockServer, fault: str, failure: str) -> None:
    server.misbehave = lambda _: fault
    (reply,) = engine_for(server).complete([ask("a")])
    assert (reply.failure, reply.candidates) == (failure, ())
    assert len(server.bodies) == 1


def test_a_wrong_key_ends_the_run_instead_of_refusing_every_request(server: MockServer) -> None:
    server.misbehave = lambda _: "401"
    with pytest.raises(BackendError, match=r"HTTP 401.*api_key_env") as caught:
        list(engine_for(server).complete([ask("a")]))
    assert caught.value.retryable is False


def test_dead_servers_are_named_with_what_was_tried_and_the_cure() -> None:
    urls = [f"http://127.0.0.1:{closed_port()}/v1" for _ in range(2)]
    with pytest.raises(BackendError, match=r"attempt 3 on http.*Start the server") as caught:
        list(engine_for(*urls).complete([ask("a")]))
    assert caught.value.retryable is True
    assert all(url in str(caught.value) for url in urls)


def test_a_server_that_fails_every_request_ends_the_run(server: MockServer) -> None:
    server.misbehave = lambda _: "500"
    with pytest.raises(BackendError, match="engine is dead"):
        list(engine_for(server).complete([ask(f"r{i}") for i in range(40)]))


def test_an_engine_that_gives_up_delivers_the_answers_that_came_with_the_failures(
    server: MockServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [ask(f"r{i}") for i in range(25)]
    good = [Reply(f"r{i}", (Candidate(f"paid {i}", "stop", None),), "", "", 1, 1) for i in range(5)]
    failed = [Reply(f"r{i}", (), "server_error", "it died", 0, 0) for i in range(5, 25)]

    def one_group(*_: object) -> Generator[list[Reply], None, None]:
        yield good + failed

    with Journal(tmp_path / "j.db") as journal:
        with monkeypatch.context() as patched:
            patched.setattr(openai_server, "iterate", one_group)
            with pytest.raises(BackendError, match="it died"):
                journal.complete(engine_for(server), requests)
        replies = journal.complete(engine_for(server), requests)
    assert [reply.candidates[0].text for reply in replies] == [
        *(f"paid {i}" for i in range(5)),
        *(f"re prompt r{i} #0" for i in range(5, 25)),
    ]
    assert {body["prompt"] for body in server.bodies} == {f"prompt r{i}" for i in range(5, 25)}


def test_a_dead_server_hands_its_requests_to_a_live_one(server: MockServer) -> None:
    dead = f"http://127.0.0.1:{closed_port()}/v1"
    replies = list(engine_for(dead, server).complete([ask(f"r{i}") for i in range(20)]))
    assert {r.key for r in replies if not r.failure} == {f"r{i}" for i in range(20)}
    assert len(server.bodies) == 20


def test_requests_are_spread_over_servers_and_bounded(server: MockServer) -> None:
    with running_server() as second:
        server.delay_seconds = second.delay_seconds = 0.03
        engine = engine_for(server, second, max_in_flight=4)
        list(engine.complete([ask(f"r{i}") for i in range(24)]))
        assert len(server.bodies) + len(second.bodies) == 24
        assert min(len(server.bodies), len(second.bodies)) >= 8
        assert max(server.busiest, second.busiest) <= 4


def test_closing_the_iterator_ends_waiting_requests_at_once(server: MockServer) -> None:
    server.misbehave = lambda asked: "" if asked.body["prompt"] == "prompt r0" else "stall"
    stream = engine_for(server).complete([ask(f"r{i}") for i in range(5)])
    assert next(stream).key == "r0"
    started = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 20.0


def test_candidates_come_in_the_order_of_their_index_with_logprob_and_tokens(
    server: MockServer,
) -> None:
    (reply,) = engine_for(server).complete([ask("a", num_candidates=3)])
    assert [c.text for c in reply.candidates] == [f"re prompt a #{i}" for i in range(3)]
    assert [c.mean_logprob for c in reply.candidates] == [-0.5] * 3
    assert (reply.prompt_tokens, reply.completion_tokens) == (7, 9)


def test_a_reply_cut_at_max_tokens_says_so(server: MockServer) -> None:
    (reply,) = engine_for(server).complete([ask("a", max_tokens=1)])
    assert reply.candidates[0].finish_reason == "length"


def test_chat_carries_turns_schema_sampling_and_extra_fields(server: MockServer) -> None:
    messages = (Message("system", "s"), Message("user", "u"))
    sampling = Sampling(temperature=0.3, top_p=0.8, max_tokens=50, stop=("\n",), num_candidates=2)
    request = ChatRequest("a", "", messages, sampling, 7, '{"type":"object"}')
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    (reply,) = engine_for(server, extra_body=extra, send_seed=True).complete([request])
    assert [json.loads(c.text) for c in reply.candidates] == [{"query": "re u"}] * 2
    assert server.bodies == [
        {
            "model": MODEL,
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
            "n": 2,
            "temperature": 0.3,
            "top_p": 0.8,
            "max_tokens": 50,
            "stop": ["\n"],
            "seed": 7,
            "logprobs": True,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": {"type": "object"}, "strict": True},
            },
            **extra,
        }
    ]


def test_seed_is_not_sent_unless_asked_for(server: MockServer) -> None:
    list(engine_for(server).complete([ask("a")]))
    assert "seed" not in server.bodies[0]


def test_score_is_the_mean_over_the_continuations_own_tokens(server: MockServer) -> None:
    requests = [ScoreRequest("a", "red green blue", " green red pink")]
    (score,) = engine_for(server).score(requests)
    # Known tokens -0.5 each, the new one -4.
    assert (score.mean_logprob, score.num_tokens, score.prompt_tokens) == (-5.0 / 3, 3, 6)


def test_score_of_a_server_that_cannot_tokenise_names_the_cure(server: MockServer) -> None:
    server.misbehave = lambda asked: "401" if asked.path == "/tokenize" else ""
    with pytest.raises(BackendError, match="tokenize"):
        list(engine_for(server).score([ScoreRequest("a", "x", " y")]))


def test_score_too_long_for_the_server_is_a_failure(server: MockServer) -> None:
    server.misbehave = lambda asked: "too_long" if asked.path != "/tokenize" else ""
    (score,) = engine_for(server).score([ScoreRequest("a", "x", " y")])
    assert (score.mean_logprob, score.failure) == (None, "too_long")


def test_the_key_is_sent_but_stands_nowhere_else(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAIRMILL_TEST_KEY", KEY)
    engine = engine_for(server, api_key_env="PAIRMILL_TEST_KEY")
    list(engine.complete([ask("a")]))
    assert server.keys == [f"Bearer {KEY}"]
    assert KEY not in json.dumps(engine.identity()) + repr(engine) + engine.revision()


def test_a_key_variable_that_is_not_set_is_named(server: MockServer) -> None:
    engine = engine_for(server, api_key_env="PAIRMILL_NO_SUCH_VARIABLE")
    with pytest.raises(ConfigError, match="PAIRMILL_NO_SUCH_VARIABLE"):
        list(engine.complete([ask("a")]))


def test_a_key_inside_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        engine_for(f"http://user:{KEY}@127.0.0.1/v1")
    told = [error["msg"] for error in caught.value.errors(include_input=False)]
    assert "api_key_env" in told[0] and KEY not in told[0]


def test_revision_is_what_the_server_tells(server: MockServer) -> None:
    assert engine_for(server).revision() == f"served:{MODEL}:weights-1"
    assert engine_for(server, model_revision="abc").revision() == "abc"


def test_servers_with_different_weights_are_refused(server: MockServer) -> None:
    with running_server() as second:
        second.root = "weights-2"
        with pytest.raises(BackendError, match="weights-2"):
            engine_for(server, second).revision()


def test_a_model_that_is_not_served_is_named_with_those_that_are(server: MockServer) -> None:
    with pytest.raises(ConfigError, match=f"{MODEL}.*'other'"):
        engine_for(server, model="other").revision()


def test_identity_names_what_decides_and_not_what_only_changes_speed(server: MockServer) -> None:
    plain = engine_for(server)
    same = engine_for("http://elsewhere/v1", max_in_flight=2, timeout_seconds=9.0, max_attempts=9)
    assert plain.identity() == same.identity()
    for change in (
        {"model": "n"},
        {"model_revision": "r"},
        {"send_seed": True},
        {"ask_logprobs": False},
        {"extra_body": {"top_k": 5}},
    ):
        assert engine_for(server, **change).identity() != plain.identity(), change


def test_waits_double_are_jittered_and_repeat_exactly() -> None:
    limits = Limits(1, 1.0, max_attempts=9, backoff_seconds=1.0)
    for attempt, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (9, 60.0)):
        waits = {limits.wait_seconds(attempt, f"r{i}") for i in range(50)}
        assert len(waits) == 50
        assert longest / 2 <= min(waits) < max(waits) <= longest
    assert limits.wait_seconds(2, "a") == limits.wait_seconds(2, "a")


def test_a_server_that_dies_for_good_while_another_lives_costs_no_row(server: MockServer) -> None:
    with running_server() as second:
        died = threading.Event()

        def die(asked: Asked) -> str:
            if len(second.bodies) >= 20:
                died.set()
            return "cut" if died.is_set() else ""

        second.misbehave = die
        server.delay_seconds = second.delay_seconds = 0.005
        engine = engine_for(server, second, max_in_flight=8, backoff_seconds=0.2)
        replies = {r.key: r for r in engine.complete([ask(f"r{i}") for i in range(200)])}
    assert died.is_set()
    assert {r.failure for r in replies.values()} == {""}
    assert {k: r.candidates[0].text for k, r in replies.items()} == {
        f"r{i}": f"re prompt r{i} #0" for i in range(200)
    }
    # The breaker opens: the dead one is tried now and then, not for every request.
    assert len(second.bodies) < 60


def test_a_request_past_its_deadline_is_its_own_failure(server: MockServer) -> None:
    server.misbehave = lambda asked: "500" if asked.body["prompt"] == "prompt r0" else ""
    engine = engine_for(
        server, deadline_seconds=0.5, backoff_seconds=0.1, max_attempts=50, adaptive=False
    )
    replies = {r.key: r for r in engine.complete([ask(f"r{i}") for i in range(4)])}
    assert {key: r.failure for key, r in replies.items()} == {
        "r0": "timed_out",
        "r1": "",
        "r2": "",
        "r3": "",
    }
    assert "no answer in 0.5 s" in replies["r0"].detail
    assert "engine is dead" in replies["r0"].detail


def test_the_queue_that_a_server_tells_bounds_what_it_is_sent(server: MockServer) -> None:
    server.metrics = "vllm:num_requests_waiting 50.0\nvllm:num_requests_running 4.0\n"
    server.delay_seconds = 0.02
    engine = engine_for(server, max_in_flight=64)
    list(engine.complete([ask(f"r{i}") for i in range(40)]))
    assert server.busiest <= 16
    server.busiest = 0
    time.sleep(2.5)
    list(engine.complete([ask(f"s{i}") for i in range(40)]))
    # Three looks at the queue: 16 -> 12 -> 9 -> 6.
    assert server.busiest <= 9
    engine.close()


def test_threads_share_what_one_engine_may_send(server: MockServer) -> None:
    server.delay_seconds = 0.01
    engine = engine_for(server, max_in_flight=5)
    threads = [
        threading.Thread(
            target=lambda n=n: list(engine.complete([ask(f"{n}-{i}") for i in range(20)]))
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.bodies) == 80
    assert server.busiest <= 5


def test_a_finished_request_makes_room_only_when_its_reply_was_taken(server: MockServer) -> None:
    """What makes "calls in all <= N + those in flight" true after a kill at any moment."""
    engine = engine_for(server, max_in_flight=4)
    groups = engine.complete_in_groups([ask(f"r{i}") for i in range(40)])
    taken = 0
    for group in groups:
        time.sleep(0.05)
        assert len(server.bodies) <= taken + 4
        taken += len(group)
    assert taken == 40
