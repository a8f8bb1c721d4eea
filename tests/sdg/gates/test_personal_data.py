"""Personal data stops a query, and no value of it reaches a rejection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sdg.gates import GATES, Gate, apply_gates
from sdg.ids import canonical_json
from sdg.schemas import REJECTIONS, StageResult, table_of
from tests.sdg.rows import document_row, documents_of, queries_of, query_row, reasons

E_MAIL = "marie.dupont@laposte-mail.fr"
KEY = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
PHONE = "(212) 736-5000"
PIECES = (E_MAIL, KEY, PHONE, "marie", "laposte", "ghp_", "736")


def gate(**fields: Any) -> Gate:
    return GATES.build({"gate": "personal_data", **fields})


def _apply(queries: list[dict[str, Any]], *gates: Gate, text: str = "A bridge.") -> StageResult:
    documents = documents_of(document_row("d1", text), document_row("d2", "A river."))
    return apply_gates(queries_of(*queries), documents, gates)


@pytest.mark.parametrize(
    ("query", "reason", "detail"),
    [
        ("who built the bridge in 1939-1945", "", ""),
        (f"is {E_MAIL} the mayor", "personal_data", "query: e_mail"),
        (f"call {PHONE} or {E_MAIL}", "personal_data", "query: e_mail, phone_number"),
        (f"does {KEY} work for {E_MAIL}", "secret", "query: e_mail, secret"),
        ("write to me@example.com", "", ""),
    ],
)
def test_the_kind_is_named_and_the_value_is_nowhere(query: str, reason: str, detail: str) -> None:
    done = _apply([query_row("q1", query)], gate())
    assert reasons(done) == ({"q1": reason} if reason else {})
    for row in done.rejected.to_pylist():
        assert row["detail"] == detail
        assert not any(piece in canonical_json(row) for piece in PIECES)
        assert json.loads(row["row"])["query"] == f"<withheld: {detail.removeprefix('query: ')}>"
        assert json.loads(row["row"])["request_id"] == "r1"


@pytest.mark.parametrize(
    ("where", "stopped"),
    [("query", {"q2"}), ("document", {"q1", "q2"}), ("both", {"q1", "q2"})],
)
def test_where_says_which_text_is_looked_at(where: str, stopped: set[str]) -> None:
    queries = [
        query_row("q1", "who built it"),
        query_row("q2", f"who is {E_MAIL}"),
        query_row("q3", "which river", source_doc_id="d2"),
    ]
    done = _apply(queries, gate(where=where), text=f"Ask {E_MAIL} or {KEY}.")
    assert set(reasons(done)) == stopped
    details = dict(
        zip(done.rejected["row_id"].to_pylist(), done.rejected["detail"].to_pylist(), strict=True)
    )
    if where == "both":
        assert details["q2"] == "query: e_mail; document: e_mail, secret"
        assert reasons(done)["q2"] == "secret"
    assert not any(piece in str(done.rejected.to_pylist()) for piece in PIECES)


def test_only_the_kinds_that_are_asked_for_count() -> None:
    query = query_row("q1", f"who is {E_MAIL}")
    assert reasons(_apply([query], gate(kinds=["secret", "phone_number"]))) == {}
    with pytest.raises(ValueError, match="kinds"):
        gate(kinds=["shoe_size"])


def test_a_number_without_country_code_counts_where_its_language_writes_it_so() -> None:
    query = "appelez le 06 12 34 56 78 pour le pont"
    french = query_row("q1", query, query_language="fra-Latn")
    assert reasons(_apply([french], gate())) == {"q1": "personal_data"}
    assert reasons(_apply([query_row("q1", query)], gate())) == {}


def test_a_row_that_another_gate_stopped_loses_the_value_too() -> None:
    spec = canonical_json({"summary": f'ask "{PHONE}"\n{E_MAIL}'})
    row = query_row("q1", E_MAIL, spec=spec, persona="a mason")
    done = _apply([row], GATES.build({"gate": "length", "min_words": 9}), gate())
    assert reasons(done) == {"q1": "too_few_words"}
    kept = json.loads(done.rejected["row"][0].as_py())
    assert kept["query"] == "<withheld: e_mail>"
    assert kept["spec"] == "<withheld: e_mail, phone_number>"
    assert kept["persona"] == "a mason"


def _rejection(row: dict[str, Any], detail: str = "") -> dict[str, str]:
    return {
        "row_id": "x", "stage": "s", "reason": "r", "detail": detail, "row": canonical_json(row),
    }  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"raw_reply": '{"query":"a\\nFR1420041010050500013M02606"}'}, id="JSON in it"),
        pytest.param({"raw_reply": f'{{"query":"ask {E_MAIL}'}, id="a reply cut off"),
        pytest.param({"natural_texts": [{"kind": "t", "text": f"see {KEY}"}]}, id="a list"),
        pytest.param({"text": f"x\n{E_MAIL}", "title": f"{E_MAIL}"}, id="a document"),
        pytest.param({"reviews": [{"note": {"deep": [PHONE]}}]}, id="deep inside"),
    ],
)
def test_what_is_withheld_from_rejections_of_other_stages_is_nowhere_in_them(
    row: dict[str, Any],
) -> None:
    rejected = table_of([_rejection({**row, "query_language": "eng-Latn"})], REJECTIONS)
    text = str(gate().withhold(rejected).to_pylist())
    assert "<withheld: " in text
    assert not any(piece in text for piece in (*PIECES, "FR14"))


def test_a_detail_with_a_finding_is_withheld_and_everything_else_stays() -> None:
    rows = [_rejection({"query": "fine", "seed": 7, "mean_logprob": -0.25}, f"likened to {KEY}")]
    rows.append(_rejection({"query": "fine", "text": None}, "0.125"))
    done = gate().withhold(table_of(rows, REJECTIONS)).to_pylist()
    assert done[0] == {**rows[0], "detail": "<withheld: secret>"}
    assert done[1] == rows[1]


def test_written_documents_are_objected_to_by_kind_whatever_the_gate_reads_of_rows() -> None:
    written = documents_of(
        document_row("d1", "A bridge."),
        document_row("d2", f"Ask {E_MAIL}, or call {PHONE}."),
        document_row("d3", f"The password is {KEY}."),
    )
    for where in ("query", "document", "both"):
        assert gate(where=where).objections(written) == {
            "d2": ("personal_data", "e_mail, phone_number"),
            "d3": ("secret", "secret"),
        }
    assert gate().objections(written.slice(0, 0)) == {}
