"""Query and positive in each other's column."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.swapped_columns import SwappedColumns
from tests.data_cards.audit.written import example, found, written

_DOCUMENT = "a document of many words " * 10


def test_a_row_with_lengths_the_other_way_round_looks_swapped() -> None:
    rows = [example(f"query {n}", [_DOCUMENT + str(n)]) for n in range(9)]
    data = written(*rows, example(_DOCUMENT + "9", ["query 9"]))
    measured = SwappedColumns().measure(data, AuditContext())
    assert found(measured.findings, "looks_swapped") == [(9, -1)]
    figure = measured.figure("swapped_row_share")
    assert figure.value == 0.1
    assert figure.low is not None and 0 < figure.low < 0.1
    assert measured.figure("longer_query_share").value == 0.1


def test_where_both_sides_are_as_long_no_row_looks_swapped() -> None:
    rows = [example(f"sentence number {n}", [f"sentence  numbers {n}"]) for n in range(9)]
    measured = SwappedColumns().measure(written(*rows, example("x " * 9, ["y"])), AuditContext())
    assert measured.finding_counts["looks_swapped"] == 0


def test_a_query_that_is_a_document_of_another_row_or_of_the_corpus_is_named() -> None:
    data = written(
        example("A text.", ["p"], ["n"]),
        example("q", ["p"], ["a text"]),
        example("own", ["own"]),
        example("stored", ["p"]),
        corpus={"doc_id": ["c"], "text": ["Stored!"]},
    )
    measured = SwappedColumns().measure(data, AuditContext())
    assert sorted(found(measured.findings, "query_is_a_document_elsewhere")) == [(0, -1), (3, -1)]
    assert measured.figure("query_is_document_share").value == 2 / 4
