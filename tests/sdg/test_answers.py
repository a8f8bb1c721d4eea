"""Questions before the question: each asked once, every failure kept with its reason."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdg.answers import ANSWERS, ask_preparation, ask_requests
from sdg.errors import ContractError
from sdg.llm import Candidate, ChatRequest, Reply
from sdg.tasks.instructed_query import InstructedQuery
from sdg.tasks.keyword_query import KeywordQuery
from sdg.tasks.short_short import ShortShort
from sdg.tasks.summarised_query import SummarisedQuery
from tests.sdg.rows import document_row, documents_of, requests_of

SUMMARISED = {"task": "summarised_query"}
DOCUMENTS = documents_of(document_row("d1", "A footbridge."), document_row("d2", "A tide pool."))
TASKS = {
    "summarised_query": SummarisedQuery(),
    "short_short": ShortShort(tasks_per_call=2),
    "keyword_query": KeywordQuery(),
}
Say = Callable[[ChatRequest], str]


def brainstormed(name: str, item: int, brainstorm: int = 0) -> dict[str, Any]:
    spec = json.dumps({"brainstorm": brainstorm, "item": item})
    return {"request_id": name, "task": "short_short", "source_doc_id": "", "spec": spec}


class Engine:
    """Answers with what `say` says, and remembers what it was asked."""

    def __init__(self, say: Say, finish_reason: str = "stop") -> None:
        self.say, self.finish_reason = say, finish_reason
        self.asked: list[ChatRequest] = []

    def __call__(self, asked: Sequence[ChatRequest]) -> list[Reply]:
        self.asked += asked
        told = [(r.key, Candidate(self.say(r), self.finish_reason, None)) for r in asked]
        return [Reply(key, (candidate,), "", "", 9, 9) for key, candidate in reversed(told)]


def summaries() -> Engine:
    return Engine(lambda _: json.dumps({"summary": "It is short."}))


def prepare(engine: Any, *rows: dict[str, Any], seed: int = 1) -> pa.Table:
    return ask_preparation(
        0, requests_of(*(SUMMARISED | r for r in rows)), DOCUMENTS, TASKS, (), engine, seed=seed
    )


def test_requests_that_share_a_question_ask_it_once_and_each_get_the_answer() -> None:
    engine = summaries()
    rows = [{"request_id": f"r{n}", "source_doc_id": f"d{1 + n % 2}"} for n in range(6)]
    found = prepare(engine, *rows)
    assert len(engine.asked) == 2
    assert found.schema == ANSWERS
    assert found["request_id"].to_pylist() == [f"r{n}" for n in range(6)]
    assert {json.loads(v)["summary"] for v in found["value"].to_pylist()} == {"It is short."}
    assert set(found["reason"].to_pylist()) == {""}


def test_of_a_shared_list_each_request_gets_its_own_item_or_a_reason() -> None:
    engine = Engine(lambda _: json.dumps({"tasks": ["Find the bridge."]}))
    found = prepare(engine, brainstormed("r0", 0), brainstormed("r1", 1))
    assert len(engine.asked) == 1
    assert [(r["value"], r["reason"]) for r in found.to_pylist()] == [
        ('"Find the bridge."', ""),
        ("", "too_few_tasks"),
    ]
    assert found["raw_reply"].to_pylist() == ["", '{"tasks": ["Find the bridge."]}']


def test_the_seed_of_a_shared_question_is_the_runs_and_not_that_of_who_asks() -> None:
    def seed_of(run: int, *rows: dict[str, Any]) -> int:
        engine = Engine(lambda _: json.dumps({"tasks": ["a", "b"]}))
        prepare(engine, *rows, seed=run)
        (asked,) = engine.asked
        return asked.seed

    one, other = {**brainstormed("r0", 0), "seed": 8}, {**brainstormed("r1", 1), "seed": 9}
    assert seed_of(1, one) == seed_of(1, other) == seed_of(1, one, other)
    assert seed_of(1, one) != seed_of(2, one)
    assert seed_of(1, one) != seed_of(1, brainstormed("r0", 0, brainstorm=1))


@pytest.mark.parametrize(
    ("say", "finish_reason", "reason"),
    [
        ("", "stop", "empty_reply"),
        ("no JSON", "stop", "invalid_json"),
        ('{"summary": 3}', "stop", "wrong_json_schema"),
        ('{"summary": " "}', "stop", "empty_summary"),
        ('{"summary": "It', "length", "truncated"),
    ],
)
def test_what_fails_before_the_question_ends_the_request_with_its_reply(
    say: str, finish_reason: str, reason: str
) -> None:
    row = {"request_id": "r1", "num_candidates": 1}
    found = prepare(Engine(lambda _: say, finish_reason), row)
    assert found["reason"].to_pylist() == [reason]
    assert found["raw_reply"].to_pylist() == [say]
    asked_again = summaries()
    ((outcome,),) = ask_requests(
        requests_of(SUMMARISED | row), DOCUMENTS, TASKS, asked_again, [found]
    )
    assert asked_again.asked == []
    assert outcome.parsed.reason == f"preparation_{reason}"
    assert outcome.candidate.text == say


def test_a_failed_request_keeps_the_engines_words_without_the_servers_address() -> None:
    def fail(asked: Sequence[ChatRequest]) -> list[Reply]:
        detail = "503 from http://10.0.0.7:8000/v1, gave up"
        return [Reply(r.key, (), "server_error", detail, 0, 0) for r in asked]

    (row,) = prepare(fail, {"request_id": "r1"}).to_pylist()
    assert (row["reason"], row["detail"]) == (
        "request_server_error",
        "503 from <server>, gave up",
    )


def test_tasks_without_a_question_before_are_not_asked_one() -> None:
    engine = summaries()
    rows = [{"request_id": "r1", "task": "keyword_query"}, {"request_id": "r2"}]
    assert prepare(engine, *rows)["request_id"].to_pylist() == ["r2"]
    assert len(engine.asked) == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 6))
def test_answers_depend_neither_on_the_order_nor_on_the_cut_of_requests(
    shuffle: int, cut: int
) -> None:
    rows = [brainstormed(f"r{n}", n % 2, n // 2) for n in range(6)]
    said = Engine(lambda r: json.dumps({"tasks": [f"{r.key} {r.seed} one", "two"]}))
    whole = prepare(said, *rows)
    mixed = random.Random(shuffle).sample(rows, len(rows))
    parts = [prepare(said, *part) for part in (mixed[:cut], mixed[cut:]) if part]
    assert pa.concat_tables(parts).sort_by("request_id").equals(whole)


def test_a_question_without_its_answers_before_is_our_mistake() -> None:
    with pytest.raises(ContractError, match="has 1 and r1 0 answers"):
        list(
            ask_requests(
                requests_of(SUMMARISED | {"request_id": "r1"}), DOCUMENTS, TASKS, summaries()
            )
        )


def test_a_lost_answer_is_our_mistake() -> None:
    with pytest.raises(ContractError, match="loses answers"):
        prepare(lambda _: [], {"request_id": "r1"})


ECHOES = {
    "eng-Latn": [
        ("your query in English", "repeats_the_prompt"),
        ("Your QUERY, in English?", "repeats_the_prompt"),
        # Two words may be what a document is about.
        ("your query", ""),
        ("instructions", ""),
        ("which footbridge is your query in English about", ""),
        # What stands in the document is another rule's affair.
        ("A footbridge of wood", ""),
    ],
    "zho-Hans": [("你用简体中文写的查询", "repeats_the_prompt"), ("木制人行桥在哪里", "")],
}


@pytest.mark.parametrize(
    ("language", "query", "reason"),
    [(language, *case) for language, cases in ECHOES.items() for case in cases],
)
def test_a_query_that_stands_in_the_instructions_is_rejected(
    language: str, query: str, reason: str
) -> None:
    request = requests_of(
        {"request_id": "r1", "task": "instructed_query", "query_language": language}
    )
    engine = Engine(lambda _: json.dumps({"task": "Find a page.", "query": query}))
    text = documents_of(document_row("d1", "A footbridge of wood."))
    ((outcome,),) = ask_requests(request, text, {"instructed_query": InstructedQuery()}, engine)
    assert outcome.parsed.reason == reason
    assert json.loads(outcome.candidate.text)["query"] == query
