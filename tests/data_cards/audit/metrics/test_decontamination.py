"""Evaluation data on each side of a data set."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.decontamination import Decontamination
from mining.encoders.hashing import Hashing
from sdg.decontaminate import EvaluationSet
from tests.data_cards.audit.linked import Link, Row, audited

LEAKED = EvaluationSet(
    "Held out", ("q1", "d1"), ("query", "document"), ("Who painted it?", "A test passage.")
)


def test_queries_positives_and_documents_are_counted_apart() -> None:
    rows = [
        Row("who painted it", [Link("p")], [Link("x")]),
        Row("b", [Link("leak", "a test passage")], [Link("x")]),
        Row("c", [Link("p")], [Link("leak", "a test passage")]),
        Row("d", [Link("p")], [Link("x")]),
    ]
    context = AuditContext(evaluation_sets=(LEAKED,))
    found = Decontamination().measure(audited(rows), context)
    values = {figure.name: figure.value for figure in found.figures}
    assert values == {
        "queries": 0.25,
        "positives": 0.25,
        "sources": 0.0,
        "rows": 0.5,
        "documents": 1 / 3,
    }
    assert found.findings.select("reason", "row", "document", "detail").rows() == [
        ("query_in_evaluation_set", 0, -1, "equal_text: query q1"),
        ("positive_in_evaluation_set", 1, 2, "equal_text: document d1"),
        ("document_in_evaluation_set", -1, 2, "equal_text: document d1"),
    ]
    assert found.breakdowns[0].lines == (
        ("Held out", "document_in_evaluation_set", "equal_text", 1),
        ("Held out", "positive_in_evaluation_set", "equal_text", 1),
        ("Held out", "query_in_evaluation_set", "equal_text", 1),
    )


def test_a_row_about_another_chunk_of_a_test_passage_is_found() -> None:
    corpus = [
        {"doc_id": "p", "text": "p", "parent_id": "article"},
        {"doc_id": "leak", "text": "a test passage", "parent_id": "article"},
        {"doc_id": "r", "text": "r", "parent_id": "another"},
    ]
    rows = [Row("a", [Link("p")]), Row("b", [Link("r")])]
    context = AuditContext(evaluation_sets=(LEAKED,))
    found = Decontamination().measure(audited(rows, corpus), context)
    assert found.figure("sources").value == 0.5
    sources = found.findings.filter(reason="source_in_evaluation_set")
    assert sources["row"].to_list() == [0]
    assert sources["detail"].to_list() == ["parent_id of equal_text: document d1"]


def test_documents_are_found_by_their_id() -> None:
    context = AuditContext(evaluation_sets=(EvaluationSet("ids", blocked_ids=("p",)),))
    found = Decontamination().measure(
        audited([Row("a", [Link("p")]), Row("b", [Link("r")])]), context
    )
    assert found.figure("positives").value == 0.5


def test_nearly_equal_queries_are_found_by_meaning_and_not_twice() -> None:
    held = EvaluationSet("h", ("q1",), ("query",), ("how tall is the old tower in the town",))
    rows = [
        Row("how tall is the old tower in the towns", [Link("p")]),
        Row("How tall is the old tower in the town?", [Link("p")]),
        Row("what do penguins eat", [Link("p")]),
    ]
    context = AuditContext(encoder=Hashing(), evaluation_sets=(held,))
    found = Decontamination(min_cosine=0.9).measure(audited(rows), context)
    near = found.findings.filter(reason="query_near_evaluation_query")
    assert near.select("row", "detail").rows() == [(0, "query q1")]
    assert found.figure("queries").value == found.figure("near_queries").value == 1 / 3


def test_without_evaluation_sets_nothing_is_measured() -> None:
    found = Decontamination().measure(audited([Row("a", [Link("p")])]), AuditContext())
    assert found.skipped == "no evaluation sets were given"
