"""Every request ends as its number of candidates, each kept or rejected with a reason."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdg.errors import ContractError
from sdg.generate import generate
from sdg.ids import content_id
from sdg.llm import Candidate, ChatRequest, Reply, Sampling
from sdg.schemas import QUERIES, StageResult
from sdg.tasks.llm_query import LlmQuery
from sdg.tasks.natural_text import NaturalText
from tests.sdg.rows import document_row, documents_of, requests_of

DOCUMENTS_IN = documents_of(
    document_row("d1", "A footbridge.", natural_texts=[{"kind": "title", "text": "Brell"}]),
    document_row("d2", "A tide pool."),
)
TITLE = NaturalText(kind="title")

Ask = Callable[[Sequence[ChatRequest]], list[Reply]]


def task_of(num_candidates: int) -> LlmQuery:
    return LlmQuery(
        shape="completion",
        instruction="Find the article",
        sampling=Sampling(num_candidates=num_candidates),
    )


def says(*texts: str, finish_reason: str = "stop", mean_logprob: float | None = -0.5) -> Ask:
    """Return an engine that answers every request with `texts`."""
    candidates = tuple(Candidate(text, finish_reason, mean_logprob) for text in texts)
    return lambda asked: [Reply(request.key, candidates, "", "", 9, 9) for request in asked]


def run(ask: Ask, *rows: dict[str, Any], candidates: int = 1) -> StageResult:
    table = requests_of(*({"num_candidates": candidates} | row for row in rows))
    tasks = {"llm_query": task_of(candidates), "natural_title": TITLE}
    return generate(table, DOCUMENTS_IN, tasks, ask, model_revision="rev").result


def test_a_kept_query_carries_where_it_came_from() -> None:
    result = run(says("who built the bridge"), {"request_id": "r1"})
    assert result.kept.schema == QUERIES
    row = result.kept.to_pylist()[0]
    assert row["query"] == "who built the bridge"
    assert row["query_id"] == content_id(
        "q", "llm_query", "m", "d1", "eng-Latn", "who built the bridge"
    )
    assert (row["request_id"], row["candidate_index"], row["seed"]) == ("r1", 0, 5)
    assert (row["generator"], row["model_revision"]) == ("m", "rev")
    assert row["instruction"] == "Find the article"
    assert row["prompt"] == "llm_query/eng-Latn"
    assert row["mean_logprob"] == -0.5


def test_each_bad_candidate_is_rejected_with_its_raw_reply() -> None:
    ask = says("who built it", "  ", "Who built it?", "a\nb")
    result = run(ask, {"request_id": "r1"}, candidates=4)
    assert result.rows_in == 4
    assert result.kept["candidate_index"].to_pylist() == [0]
    reasons = result.rejected["reason"].to_pylist()
    assert reasons == ["empty_reply", "duplicate_candidate", "several_lines"]
    rows = [json.loads(row) for row in result.rejected["row"].to_pylist()]
    assert [row["raw_reply"] for row in rows] == ["  ", "Who built it?", "a\nb"]
    assert [row["candidate_index"] for row in rows] == [1, 2, 3]
    assert len(set(result.rejected["row_id"].to_pylist())) == 3


def test_two_requests_may_get_the_same_query() -> None:
    rows = ({"request_id": "r1"}, {"request_id": "r2", "source_doc_id": "d2"})
    result = run(says("who built it"), *rows)
    assert result.kept["source_doc_id"].to_pylist() == ["d1", "d2"]
    assert len(set(result.kept["query_id"].to_pylist())) == 2


@pytest.mark.parametrize("failure", ["too_long", "refused", "server_error", "timed_out", "pending"])
def test_a_failed_request_rejects_every_candidate_with_the_engines_words(failure: str) -> None:
    def ask(asked: Sequence[ChatRequest]) -> list[Reply]:
        return [Reply(request.key, (), failure, "HTTP 500", 0, 0) for request in asked]

    result = run(ask, {"request_id": "r1"}, candidates=3)
    assert (result.rows_in, result.kept.num_rows) == (3, 0)
    assert result.rejected["reason"].to_pylist() == [f"request_{failure}"] * 3
    assert result.rejected["detail"].to_pylist() == ["HTTP 500"] * 3


def test_natural_text_is_copied_and_nobody_is_asked() -> None:
    def ask(asked: Sequence[ChatRequest]) -> list[Reply]:
        pytest.fail(f"asked {len(asked)} times")

    rows = [{"request_id": f"r{number}", "source_doc_id": f"d{number}"} for number in (1, 2)]
    natural = [row | {"task": "natural_title", "generator": ""} for row in rows]
    result = run(ask, *natural)
    kept = result.kept.to_pylist()
    assert [(row["query"], row["generator"], row["prompt"]) for row in kept] == [("Brell", "", "")]
    assert kept[0]["mean_logprob"] is None
    assert result.rejected["reason"].to_pylist() == ["no_text_beside_document"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_the_result_does_not_depend_on_the_order_of_requests_or_answers(seed: int) -> None:
    rows = [{"request_id": f"r{n:02d}", "source_doc_id": f"d{n % 2 + 1}"} for n in range(12)]

    def ask(asked: Sequence[ChatRequest]) -> list[Reply]:
        replies = [
            Reply(r.key, (Candidate(f"query {r.key}", "stop", -0.1),), "", "", 1, 1) for r in asked
        ]
        random.Random(seed).shuffle(replies)
        return replies

    expected = run(ask, *rows)
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert run(ask, *shuffled).kept.equals(expected.kept)
    assert expected.kept["request_id"].to_pylist() == [row["request_id"] for row in rows]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=6), st.sampled_from(["stop", "length"]))
def test_rows_in_equal_rows_kept_and_rejected_whatever_the_model_says(
    texts: list[str], finish_reason: str
) -> None:
    ask = says(*texts, finish_reason=finish_reason)
    result = run(ask, {"request_id": "r1"}, {"request_id": "r2"}, candidates=len(texts))
    assert result.rows_in == 2 * len(texts)
    for row in result.kept.to_pylist():
        assert row["query"]
        assert finish_reason == "stop"


def test_half_a_surrogate_pair_in_a_reply_does_not_end_the_run() -> None:
    """JSON can spell one, UTF-8 cannot: writing it raised, and took the whole shard along."""
    result = run(says("cut \ud83d off", finish_reason="length"), {"request_id": "r1"})
    assert json.loads(result.rejected["row"][0].as_py())["raw_reply"] == "cut \\ud83d off"
    assert run(says("a \ud83d b"), {"request_id": "r1"}).kept["query"].to_pylist() == ["a b"]


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_log_probability_that_is_no_number_is_null(value: float) -> None:
    kept = run(says("who built it", mean_logprob=value), {"request_id": "r1"}).kept
    assert kept["mean_logprob"].to_pylist() == [None]
    rejected = run(says("", mean_logprob=value), {"request_id": "r1"}).rejected
    assert json.loads(rejected["row"][0].as_py())["mean_logprob"] is None


def test_no_requests_give_empty_tables() -> None:
    result = run(says("x"))
    assert (result.rows_in, result.kept.num_rows, result.rejected.num_rows) == (0, 0, 0)


@pytest.mark.parametrize(
    "row", [{"source_doc_id": "d9"}, {"task": "unheard_of"}], ids=["document", "task"]
)
def test_a_request_without_its_document_or_task_is_our_mistake(row: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="must have its document and task"):
        run(says("x"), {"request_id": "r1"} | row)


def test_a_lost_answer_is_our_mistake() -> None:
    with pytest.raises(ContractError, match="r1 of 1 is not"):
        run(lambda _: [], {"request_id": "r1"})


def test_an_answer_with_too_few_candidates_is_the_engines_mistake() -> None:
    with pytest.raises(ContractError, match=r"must hold 2 candidates.*holds 1"):
        run(says("x"), {"request_id": "r1"}, candidates=2)
