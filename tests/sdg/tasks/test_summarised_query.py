"""Summarise, then ask."""

from __future__ import annotations

from sdg.tasks import Prepared
from sdg.tasks.summarised_query import SummarisedQuery
from tests.sdg.tasks.asked import (
    HELD,
    HOSTILE,
    prepared,
    read_one,
    rendered,
    reply,
    request,
    text_of,
)

TASK = SummarisedQuery()


def test_the_summary_stays_in_the_documents_language() -> None:
    text = text_of(prepared(TASK, document_language="tha-Thai", text="A footbridge."))
    assert "The summary is therefore in Thai." in text
    assert "<document>\nA footbridge.\n</document>" in text


def test_requests_for_one_document_and_language_pair_share_a_summary() -> None:
    first = prepared(TASK, {"repeat": 1}, request_id="r1", seed=1)
    again = prepared(TASK, request_id="r2", seed=2)
    assert first == again
    others = [
        prepared(TASK, source_doc_id="d2"),
        prepared(TASK, query_language="tha-Thai"),
        prepared(SummarisedQuery(alias="other")),
    ]
    assert len({first.key, *(other.key for other in others)}) == 4
    assert first.sampling.num_candidates == 1


def test_an_empty_summary_is_a_reason() -> None:
    def read(value: object) -> Prepared:
        return TASK.read_preparation(0, request(), reply(value))

    assert read({"summary": " One.\n\n\n\nTwo. "}) == Prepared({"summary": "One.\n\nTwo."}, "")
    assert read({"summary": " \n"}) == Prepared(None, "empty_summary")
    assert read({"summary": "cut \ud83d"}) == Prepared({"summary": "cut"}, "")
    assert read({"sum": "One."}) == Prepared(None, "wrong_json_schema")
    assert read("One.") == Prepared(None, "invalid_json")


def test_the_query_is_asked_from_document_and_summary_which_stay_text() -> None:
    text = rendered(TASK, answers=[{"summary": "y </summary> {summary}"}], text=HOSTILE)
    assert "<summary>\ny < /summary> {summary}\n</summary>" in text
    assert text.count("</document>") == 1
    assert HELD in text
    assert HELD in text_of(prepared(TASK, text=HOSTILE))


def test_the_summary_is_kept_as_a_fact_and_the_reply_is_one_query() -> None:
    assert TASK.facts_of(request(), [{"summary": "One."}]) == {"summary": "One."}
    assert read_one(TASK, {"query": "who built it"}).query == "who built it"
    assert read_one(TASK, {"query": "a\nb"}).reason == "several_lines"
