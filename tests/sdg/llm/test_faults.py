"""Faults of servers and models: each row is kept, or rejected for the right reason, in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sdg.gates import GATES, apply_gates
from sdg.generate import generate
from sdg.llm import ENGINES, Sampling
from sdg.llm.journal import Journal
from sdg.schemas import StageResult
from sdg.store import write_parquet
from sdg.tasks.llm_query import LlmQuery
from tests.sdg.llm.mock_server import MODEL, Asked, MockServer, closed_port, running_server
from tests.sdg.rows import document_row, documents_of, requests_of

# Request number -> fault, and whether it happens each time.
PASSING = {3: "500", 7: "429", 11: "stall", 13: "cut", 17: "garbage", 19: "half", 23: "short"}
LASTING = {
    5: ("500", "request_server_error"),
    9: ("garbage", "request_server_error"),
    10: ("400", "request_refused"),
    15: ("too_long", "request_too_long"),
    20: ("not_json", "invalid_json"),
    21: ("cut_json", "invalid_json"),
    22: ("empty", "empty_reply"),
    25: ("length", "truncated"),
    28: ("twice", "duplicate_candidate"),
}
COUNT = 40
# What was said at each attempt, and where, stands in the detail of these.
LASTING_5XX = {i for i, (_, reason) in LASTING.items() if reason == "request_server_error"}


def misbehave(asked: Asked) -> str:
    number = asked.body["seed"]
    if number in LASTING:
        return LASTING[number][0]
    return PASSING.get(number, "") if asked.times == 0 else ""


def requests() -> pa.Table:
    return requests_of(
        *(
            {"request_id": f"r{i:02d}", "source_doc_id": f"d{i:02d}", "seed": i,
             "num_candidates": 1 + (i == 28)}
            for i in range(COUNT)
        )
    )  # fmt: skip


def build(folder: Path, *servers: MockServer | str, **fields: Any) -> StageResult:
    urls = [server if isinstance(server, str) else server.url for server in servers]
    quick = {"backoff_seconds": 0.02, "max_attempts": 3, "timeout_seconds": 3.0, "send_seed": True}
    engine = ENGINES.build(
        {"engine": "openai", "base_urls": urls, "model": MODEL, "model_revision": "r"}
        | quick
        | fields
    )
    documents = documents_of(*(document_row(f"d{i:02d}", f"Pool {i}.") for i in range(COUNT)))
    # One task for all: its number of candidates is that of the request.
    one = LlmQuery(shape="chat", instruction="", sampling=Sampling(max_tokens=512))
    two = LlmQuery(
        shape="chat", instruction="", sampling=Sampling(max_tokens=512, num_candidates=2)
    )
    table = requests()
    with Journal(folder / "j.db") as journal:
        parts = []
        for task, count in ((one, 1), (two, 2)):
            rows = table.filter(pc.equal(table["num_candidates"], count))
            parts.append(
                generate(
                    rows, documents, {"llm_query": task}, lambda b: journal.complete(engine, b)
                ).result
            )
    engine.close()
    return StageResult(
        pa.concat_tables([part.kept for part in parts]),
        pa.concat_tables([part.rejected for part in parts]),
        sum(part.rows_in for part in parts),
    )


def reasons_of(result: StageResult) -> dict[str, str]:
    rows = result.rejected.to_pylist()
    return {json.loads(row["row"])["request_id"]: row["reason"] for row in rows}


def test_each_fault_ends_as_a_row_or_as_its_own_reason_and_order_stays(tmp_path: Path) -> None:
    with running_server() as server:
        server.misbehave = misbehave
        result = build(tmp_path, server, max_in_flight=8)
    assert reasons_of(result) == {f"r{i:02d}": reason for i, (_, reason) in LASTING.items()}
    kept = result.kept["request_id"].to_pylist()
    assert kept == [*(f"r{i:02d}" for i in range(COUNT) if i not in LASTING), "r28"]
    assert result.rows_in == COUNT + 1 == len(kept) + result.rejected.num_rows
    raw = {row["reason"]: json.loads(row["row"]) for row in result.rejected.to_pylist()}
    assert raw["empty_reply"]["raw_reply"] == ""
    assert raw["truncated"]["finish_reason"] == "length"
    said = [row["detail"] for row in result.rejected.to_pylist() if "html" in row["detail"]]
    assert len(said) == 1 and "<html>not json" in said[0]


@pytest.mark.parametrize("in_flight", [7, 64])
def test_the_same_replies_give_the_same_bytes_however_many_are_in_flight(
    tmp_path: Path, in_flight: int
) -> None:
    left_out = {i for i, fault in PASSING.items() if fault == "stall"} | LASTING_5XX

    def bytes_of(count: int, folder: Path) -> bytes:
        with running_server() as server:
            server.misbehave = lambda a: "" if a.body["seed"] in left_out else misbehave(a)
            result = build(folder, server, max_in_flight=count, adaptive=count != 7)
        write_parquet(folder / "kept.parquet", result.kept)
        write_parquet(folder / "rejected.parquet", result.rejected)
        return b"".join((folder / f"{n}.parquet").read_bytes() for n in ("kept", "rejected"))

    one, many = tmp_path / "one", tmp_path / "many"
    assert bytes_of(1, one) == bytes_of(in_flight, many)


def test_with_one_server_dead_from_the_start_every_row_is_the_same(tmp_path: Path) -> None:
    ids_without_28 = [f"r{i:02d}" for i in range(COUNT) if i != 28]
    dead = f"http://127.0.0.1:{closed_port()}/v1"
    with running_server() as server:
        alone = build(tmp_path / "alone", server)
        beside = build(tmp_path / "beside", dead, server)
    assert alone.kept.equals(beside.kept)
    # Only the second reply to request 28 says the same as the first.
    assert alone.rejected.equals(beside.rejected)
    assert alone.kept["request_id"].to_pylist() == [*ids_without_28, "r28"]


def test_a_server_that_dies_for_good_leaves_its_rows_to_the_one_that_lives(tmp_path: Path) -> None:
    with running_server() as alone:
        expected = build(tmp_path / "alone", alone)
    with running_server() as dying, running_server() as living:
        # From its sixth request on every connection ends without an answer.
        dying.misbehave = lambda _: "cut" if len(dying.bodies) > 5 else ""
        found = build(tmp_path / "two", dying, living, max_attempts=6)
        assert len(dying.bodies) > 5
    assert found.kept.equals(expected.kept)
    assert found.rejected.equals(expected.rejected)


def test_replies_in_a_wrong_language_are_parsed_and_stopped_by_the_gate(tmp_path: Path) -> None:
    french = "quel ingénieur a construit la passerelle au-dessus de la gorge"
    with running_server() as server:
        server.misbehave = lambda asked: f"says:{french}" if asked.body["seed"] == 4 else ""
        result = build(tmp_path, server)
    assert french in result.kept["query"].to_pylist()
    documents = documents_of(*(document_row(f"d{i:02d}", f"Pool {i}.") for i in range(COUNT)))
    gate = GATES.build({"gate": "language", "among": ["eng-Latn", "fra-Latn"]})
    only = result.kept.filter(pc.equal(result.kept["query"], french))
    gated = apply_gates(only, documents, [gate])
    assert gated.rejected["reason"].to_pylist() == ["query_language_unsure"]
