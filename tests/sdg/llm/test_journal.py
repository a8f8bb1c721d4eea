from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, PrivateAttr

from sdg.errors import BackendError, ContractError, DataError
from sdg.llm import (
    ENGINES,
    Candidate,
    ChatRequest,
    Engine,
    Message,
    Reply,
    Sampling,
    Score,
    ScoreRequest,
)
from sdg.llm.journal import Journal, _journal_keys
from sdg.llm.journal_kinds import REPLIES
from sdg.llm.usage import Usage


class CountingEngine(Engine):
    """Answers in reverse order and remembers what it was sent.

    `fails` maps a request's key to a failure; after `dies_after` answers it breaks for good.
    """

    name = "counting"
    model: str = "m"
    weights: str = "w1"
    fails: dict[str, str] = Field(default_factory=dict)
    dies_after: int = 1_000_000
    _sent: list[str] = PrivateAttr(default_factory=list)

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "model": self.model}

    def revision(self) -> str:
        return self.weights

    @property
    def sent(self) -> list[str]:
        return self._sent

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        for count, request in enumerate(reversed(requests)):
            if count == self.dies_after:
                raise BackendError("The engine must live, but died. Start it again.")
            self._sent.append(request.key)
            failure = self.fails.get(request.key, "")
            candidates = () if failure else (Candidate(f"to {request.prompt}", "stop", -0.5),)
            yield Reply(request.key, candidates, failure, failure and "why", 10, 2)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        for request in requests:
            self._sent.append(request.key)
            yield Score(request.key, -1.0 * len(request.continuation), 3, 7, "")


def ask(key: str, prompt: str = "", *, seed: int = 1) -> ChatRequest:
    return ChatRequest(key, prompt or f"prompt {key}", (), Sampling(), seed)


def test_complete_returns_replies_in_the_order_of_requests(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        replies = journal.complete(CountingEngine(), [ask("b"), ask("a"), ask("c")])
    assert [(r.key, r.candidates[0].text) for r in replies] == [
        ("b", "to prompt b"),
        ("a", "to prompt a"),
        ("c", "to prompt c"),
    ]


def test_second_run_sends_nothing_and_answers_the_same(tmp_path: Path) -> None:
    requests = [ask(f"r{i}") for i in range(1200)]
    with Journal(tmp_path / "j.db") as journal:
        first = journal.complete(CountingEngine(), requests)
    engine = CountingEngine()
    with Journal(tmp_path / "j.db") as journal:
        assert journal.complete(engine, requests) == first
        assert journal.usage.from_journal == 1200
    assert engine.sent == []


def test_equal_requests_of_a_batch_are_sent_once(tmp_path: Path) -> None:
    engine = CountingEngine()
    with Journal(tmp_path / "j.db") as journal:
        replies = journal.complete(engine, [ask("a", "x"), ask("b", "y"), ask("c", "x")])
        usage = journal.usage
    assert [r.key for r in replies] == ["a", "b", "c"]
    assert replies[0].candidates == replies[2].candidates
    assert len(engine.sent) == 2
    assert usage == Usage(3, 2, 0, 20, 4, 20, 4, usage.engine_seconds)


MESSAGES = (Message("system", "Write in English."), Message("user", "text"))
BASE = ChatRequest("k", "", MESSAGES, Sampling(stop=("\n",)), 1, '{"type":"object"}')
DIFFERENT = {
    "system_text": replace(
        BASE, messages=(Message("system", "Write in French."), Message("user", "text"))
    ),
    "role": replace(BASE, messages=(Message("user", "Write in English."), Message("user", "text"))),
    "border_of_messages": replace(
        BASE, messages=(Message("system", "Write in English.text"), Message("user", ""))
    ),
    "prompt_instead_of_messages": replace(BASE, prompt="text", messages=()),
    "seed": replace(BASE, seed=2),
    "schema": replace(BASE, json_schema=""),
    "temperature": replace(BASE, sampling=Sampling(stop=("\n",), temperature=0.7)),
    "top_p": replace(BASE, sampling=Sampling(stop=("\n",), top_p=0.9)),
    "max_tokens": replace(BASE, sampling=Sampling(stop=("\n",), max_tokens=255)),
    "stop": replace(BASE, sampling=Sampling(stop=("\n", "."))),
    "num_candidates": replace(BASE, sampling=Sampling(stop=("\n",), num_candidates=2)),
}


@pytest.mark.parametrize("request_", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_changing_one_field_of_a_request_sends_it_again(
    tmp_path: Path, request_: ChatRequest
) -> None:
    engine = CountingEngine()
    with Journal(tmp_path / "j.db") as journal:
        journal.complete(engine, [BASE])
        journal.complete(engine, [replace(BASE, key="other key")])
        assert engine.sent == ["k"]
        journal.complete(engine, [request_])
    assert engine.sent == ["k", "k"]


@pytest.mark.parametrize(
    "engine", [CountingEngine(model="n"), CountingEngine(weights="w2")], ids=["model", "revision"]
)
def test_another_model_or_revision_is_asked_anew(tmp_path: Path, engine: CountingEngine) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.complete(CountingEngine(), [BASE])
        journal.complete(engine, [BASE])
        assert journal.usage.sent == 2


ENGINES_AND_CHANGES: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "openai",
        {"base_urls": ["http://h/v1"], "model": "m", "model_revision": "r"},
        [
            {"model": "n"},
            {"model_revision": "s"},
            {"extra_body": {"top_k": 1}},
            {"send_seed": True},
            {"ask_logprobs": False},
        ],
    ),
    (
        "batch_file",
        {"folder": "f", "model": "m", "model_revision": "r"},
        [{"model": "n"}, {"model_revision": "s"}, {"extra_body": {"top_k": 1}}],
    ),
    (
        "vllm",
        {"model": "MODEL"},
        [{"model_revision": "s"}, {"adapter": "ADAPTER"}, {"dtype": "float16"}],
    ),
    (
        "vllm_server",
        {"model": "MODEL"},
        [{"model_revision": "s"}, {"adapter": "ADAPTER"}, {"extra_arguments": ["--x"]}],
    ),
]
ENGINE_CHANGES = [
    (name, plain, change) for name, plain, changes in ENGINES_AND_CHANGES for change in changes
]


@pytest.mark.parametrize(
    ("name", "plain", "change"),
    ENGINE_CHANGES,
    ids=[f"{name}-{next(iter(change))}" for name, _, change in ENGINE_CHANGES],
)
def test_whatever_of_an_engine_decides_its_replies_is_in_the_key(
    tmp_path: Path, name: str, plain: dict[str, Any], change: dict[str, Any]
) -> None:
    for folder in ("MODEL", "ADAPTER"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "adapter_config.json").write_text('{"r": 4}')

    def key(fields: dict[str, Any]) -> bytes:
        placed = {
            k: str(tmp_path / v) if v in ("MODEL", "ADAPTER") else v for k, v in fields.items()
        }
        return _journal_keys(REPLIES, ENGINES.build({"engine": name, **placed}), [BASE])[0]

    assert key(plain) == key({**plain, "gpus": 2, "price_per_gpu_hour": 1.0})
    assert key({**plain, **change}) != key(plain)


def test_scores_depend_on_prompt_continuation_and_the_border_between(tmp_path: Path) -> None:
    engine = CountingEngine()
    requests = [
        ScoreRequest("a", "ab", "c"),
        ScoreRequest("b", "a", "bc"),
        ScoreRequest("c", "ab", "c"),
    ]
    with Journal(tmp_path / "j.db") as journal:
        scores = journal.score(engine, requests)
        assert journal.score(CountingEngine(), requests) == scores
        assert (journal.usage.sent, journal.usage.prompt_tokens_sent) == (2, 14)
    assert [(s.key, s.mean_logprob) for s in scores] == [("a", -1.0), ("b", -2.0), ("c", -1.0)]


def test_a_reply_and_a_score_never_share_an_entry(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal:
        journal.complete(CountingEngine(), [ask("a", "x")])
        (score,) = journal.score(CountingEngine(), [ScoreRequest("a", "x", "")])
    assert score.num_tokens == 3


@pytest.mark.parametrize(
    ("failure", "times_sent"), [("too_long", 1), ("refused", 1), ("server_error", 2)]
)
def test_only_a_failure_that_may_pass_is_sent_again(
    tmp_path: Path, failure: str, times_sent: int
) -> None:
    engine = CountingEngine(fails={"a": failure})
    with Journal(tmp_path / "j.db") as journal:
        first = journal.complete(engine, [ask("a"), ask("b")])
        second = journal.complete(engine, [ask("a"), ask("b")])
        assert journal.usage.failed == 2
    assert first == second
    assert (first[0].failure, first[0].detail) == (failure, "why")
    assert Counter(engine.sent) == {"a": times_sent, "b": 1}


def test_an_engine_that_dies_leaves_every_answer_before_that(tmp_path: Path) -> None:
    requests = [ask(f"r{i}") for i in range(10)]
    with Journal(tmp_path / "j.db") as journal:
        with pytest.raises(BackendError, match="died"):
            journal.complete(CountingEngine(dies_after=4), requests)
        engine = CountingEngine()
        journal.complete(engine, requests)
    assert sorted(engine.sent) == ["r0", "r1", "r2", "r3", "r4", "r5"]


def test_each_answer_is_on_disk_before_the_next_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    on_disk: list[int] = []

    class Watching(CountingEngine):
        def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
            for reply in super().complete(requests):
                with sqlite3.connect(path) as other:
                    on_disk.append(other.execute("SELECT count(*) FROM answers").fetchone()[0])
                yield reply

    with Journal(path) as journal:
        journal.complete(Watching(), [ask(f"r{i}") for i in range(5)])
    assert on_disk == [0, 1, 2, 3, 4]


def test_the_first_committed_answer_wins_between_two_journals(tmp_path: Path) -> None:
    """Two processes may send the same request; both must go on with the same reply."""
    path = tmp_path / "j.db"

    class Slow(CountingEngine):
        def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
            with Journal(path) as other:
                other.complete(CountingEngine(), requests)
            yield Reply("a", (Candidate("late", "stop", None),), "", "", 1, 1)

    with Journal(path) as journal:
        (reply,) = journal.complete(Slow(), [ask("a")])
    assert reply.candidates[0].text == "to prompt a"


def test_threads_share_one_journal(tmp_path: Path) -> None:
    engine = CountingEngine()
    found: dict[int, list[str]] = {}
    with Journal(tmp_path / "j.db") as journal:

        def work(part: int) -> None:
            requests = [ask(f"{part}-{i}") for i in range(100)]
            found[part] = [r.candidates[0].text for r in journal.complete(engine, requests)]

        threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.usage.sent == 400
    assert found == {p: [f"to prompt {p}-{i}" for i in range(100)] for p in range(4)}


class SlowEngine(CountingEngine):
    """Takes so long for each answer that other threads ask meanwhile."""

    name = "slow"

    def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
        for reply in super().complete(requests):
            time.sleep(0.02)
            yield reply


@pytest.mark.parametrize("failure", ["", "server_error"])
def test_threads_that_ask_the_same_at_once_send_it_once_unless_it_may_pass(
    tmp_path: Path, failure: str
) -> None:
    engine = SlowEngine(fails={"shared": failure} if failure else {})
    found: dict[int, list[str]] = {}
    with Journal(tmp_path / "j.db") as journal:

        def work(part: int) -> None:
            requests = [ask("shared"), *(ask(f"{part}-{i}") for i in range(3))]
            found[part] = [
                r.failure or r.candidates[0].text for r in journal.complete(engine, requests)
            ]

        threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert journal.usage.requests == 16
        assert not journal._in_flight
    assert engine.sent.count("shared") == (4 if failure else 1)
    assert len(engine.sent) == len(set(engine.sent)) + (3 if failure else 0)
    first = failure or "to prompt shared"
    assert found == {p: [first, *(f"to prompt {p}-{i}" for i in range(3))] for p in range(4)}


def test_progress_tells_what_was_known_and_then_each_answer(tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        journal.complete(CountingEngine(), [ask("a")])
    with Journal(path, on_progress=lambda *now: told.append(now)) as journal:
        journal.complete(CountingEngine(), [ask("a"), ask("b"), ask("c")])
    assert told == [(1, 3, 12), (2, 3, 24), (3, 3, 36)]


def test_engine_seconds_are_read_from_the_clock_passed_in(tmp_path: Path) -> None:
    ticks = iter(range(100))
    with Journal(tmp_path / "j.db", clock=lambda: float(next(ticks))) as journal:
        journal.complete(CountingEngine(), [ask("a"), ask("b")])
        # Two answers and the end, one tick each.
        assert journal.usage.engine_seconds == 3.0


@pytest.mark.parametrize(
    ("keys", "message"),
    [(["a"], "left 1 of 2 unanswered"), (["a", "a"], "'a'"), (["a", "z"], "'z'")],
    ids=["missing", "twice", "unknown"],
)
def test_an_engine_that_answers_wrongly_is_named(
    tmp_path: Path, keys: list[str], message: str
) -> None:
    class Wrong(CountingEngine):
        def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
            for key in keys:
                yield Reply(key, (), "refused", "", 0, 0)

    with Journal(tmp_path / "j.db") as journal, pytest.raises(ContractError, match=message):
        journal.complete(Wrong(), [ask("a"), ask("b")])


def test_two_requests_with_one_key_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.db") as journal, pytest.raises(ContractError, match="unique"):
        journal.complete(CountingEngine(), [ask("a", "x"), ask("a", "y")])


def test_a_file_that_is_no_journal_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"this was never a database" * 1000)
    with pytest.raises(DataError, match=r"j\.db.*Move it away"):
        Journal(path)
    assert path.read_bytes()[:4] == b"this"


def test_a_journal_damaged_in_the_middle_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    requests = [ask(f"r{i}") for i in range(300)]
    with Journal(path) as journal:
        journal.complete(CountingEngine(), requests)
    data = bytearray(path.read_bytes())
    data[4096 : len(data)] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(DataError, match="Move it away"), Journal(path) as journal:
        journal.complete(CountingEngine(), requests)


def test_a_damaged_value_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        journal.complete(CountingEngine(), [ask("a")])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE answers SET value = x'00ff'")
    with Journal(path) as journal, pytest.raises(DataError, match="Move it away"):
        journal.complete(CountingEngine(), [ask("a")])


def test_a_journal_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    Journal(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=99")
    with pytest.raises(DataError, match="format 99"):
        Journal(path)


def test_a_folder_that_cannot_be_written_is_told_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "j.db").mkdir()
    with pytest.raises(BackendError, match="writable"):
        Journal(tmp_path / "j.db")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=8), st.integers(0, 2)), max_size=12))
def test_any_batch_gets_one_reply_per_request_and_sends_each_content_once(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[str, int]]
) -> None:
    requests = [
        ChatRequest(f"k{i}", prompt, (), Sampling(), seed)
        for i, (prompt, seed) in enumerate(contents)
    ]
    engine = CountingEngine()
    with Journal(tmp_path_factory.mktemp("j") / "j.db") as journal:
        replies = journal.complete(engine, requests)
    assert [(r.key, r.candidates[0].text) for r in replies] == [
        (f"k{i}", f"to {prompt}") for i, (prompt, _) in enumerate(contents)
    ]
    assert len(engine.sent) == len(set(contents))


WORKER = """
import sys
from pathlib import Path
from sdg.llm import ENGINES, ChatRequest, Sampling
from sdg.llm.journal import Journal, _journal_keys
from sdg.llm.journal_kinds import REPLIES
folder = Path(sys.argv[1])
engine = ENGINES.build(
    {"engine": "scripted", "delay_seconds": 0.005, "log_file": str(folder / "sent.log")}
)
text = "A long passage about the number {} and nothing else at all."
requests = [ChatRequest(f"r{i}", text.format(i), (), Sampling(), i) for i in range(150)]
replies = Journal(folder / "j.db").complete(engine, requests)
print([[r.key, r.candidates[0].text] for r in replies])
"""


def test_kill_9_loses_at_most_the_request_in_flight(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    log = tmp_path / "sent.log"
    victim = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (log.exists() and log.read_text().count("\n") >= 30):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    sent_before = len(log.read_text().splitlines())
    assert 30 <= sent_before < 150
    with sqlite3.connect(tmp_path / "j.db") as database:
        kept = database.execute("SELECT count(*) FROM answers").fetchone()[0]
    assert sent_before - kept in (0, 1)

    resumed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = log.read_text().splitlines()
    assert len(set(lines)) == 150
    assert len(lines) == 150 + (sent_before - kept)

    fresh = tmp_path / "fresh"
    fresh.mkdir()
    whole = subprocess.run([*command[:-1], str(fresh)], capture_output=True, text=True, check=True)
    assert resumed == whole.stdout


def test_usage_of_a_stage_is_the_difference_of_two_snapshots(tmp_path: Path) -> None:
    engine = ENGINES.build({"engine": "scripted"})
    with Journal(tmp_path / "j.db") as journal:
        journal.complete(engine, [ask("a", "one two")])
        before = journal.usage
        journal.complete(engine, [ask("a", "one two"), ask("b", "one two three")])
        stage = journal.usage - before
    assert (stage.requests, stage.sent, stage.from_journal) == (2, 1, 1)
    assert (stage.prompt_tokens_sent, stage.prompt_tokens) == (3, 5)
    assert stage.to_json()["from_journal"] == 1


def test_a_journal_of_an_earlier_version_keeps_its_answers(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        (before,) = journal.complete(CountingEngine(), [BASE])
    with sqlite3.connect(path) as database:
        for column in ("prompt_tokens", "completion_tokens", "reasoning_tokens", "seconds"):
            database.execute(f"ALTER TABLE answers DROP COLUMN {column}")
        database.execute("DROP TABLE uses")
        database.execute("DROP TABLE failures")
    engine = CountingEngine()
    with Journal(path) as journal:
        assert journal.complete(engine, [BASE]) == [before]
    assert engine.sent == []


def test_the_key_of_a_request_never_changes_between_versions() -> None:
    """What was paid for once stays paid for: a change of this value loses every kept answer."""
    (key,) = _journal_keys(REPLIES, CountingEngine(), [BASE])
    assert key.hex()[:16] == "d33926af9bbf06f9"


def test_a_group_is_one_commit_and_is_there_before_the_next_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    on_disk: list[int] = []

    class Grouping(CountingEngine):
        def complete_in_groups(self, requests: Sequence[ChatRequest]) -> Iterator[list[Reply]]:
            replies = list(self.complete(requests))
            for start in (0, 3):
                with sqlite3.connect(path) as other:
                    on_disk.append(other.execute("SELECT count(*) FROM answers").fetchone()[0])
                yield replies[start : start + 3]

    with Journal(path) as journal:
        replies = journal.complete(Grouping(), [ask(f"r{i}") for i in range(6)])
    assert on_disk == [0, 3]
    assert [r.key for r in replies] == [f"r{i}" for i in range(6)]


def test_blocks_answer_in_order_and_send_equal_requests_of_two_blocks_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdg.llm.journal.BLOCK_REQUESTS", 4)
    engine = CountingEngine()
    requests = [ask(f"r{i}", f"x{i % 5}") for i in range(10)]
    with Journal(tmp_path / "j.db") as journal:
        replies = list(journal.complete_in_blocks(engine, iter(requests)))
    assert [(r.key, r.candidates[0].text) for r in replies] == [
        (f"r{i}", f"to x{i % 5}") for i in range(10)
    ]
    assert len(engine.sent) == 5


def test_reasoning_is_kept_with_its_tokens(tmp_path: Path) -> None:
    class Thinking(CountingEngine):
        def complete(self, requests: Sequence[ChatRequest]) -> Iterator[Reply]:
            cut = Candidate("", "length", None, "so the query is")
            for request in requests:
                yield Reply(request.key, (cut,), "", "", 10, 9, 8)

    with Journal(tmp_path / "j.db") as journal:
        first = journal.complete(Thinking(), [ask("a")])
    with Journal(tmp_path / "j.db") as journal:
        assert journal.complete(Thinking(), [ask("a")]) == first
        assert (journal.usage.sent, journal.usage.reasoning_tokens) == (0, 8)
