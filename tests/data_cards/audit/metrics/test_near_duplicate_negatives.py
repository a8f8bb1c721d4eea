"""Negatives that nearly are another text of their row."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.near_duplicate_negatives import NearDuplicateNegatives
from tests.data_cards.audit.written import example, found, written

_TWENTY = " ".join(f"w{number}" for number in range(20))


def test_each_kind_of_likeness_is_found_in_its_own_row_only() -> None:
    data = written(
        example("the query", ["One, two three"], ["three TWO one", "other", "The query!"]),
        example("r", ["p"], ["one two three", "x y", "y x"]),
    )
    measured = NearDuplicateNegatives().measure(data, AuditContext())
    names = data.documents["doc_id"].to_list()
    rows = {
        reason: [(row, names[place]) for row, place in found(measured.findings, reason)]
        for reason in measured.finding_counts
    }
    assert rows == {
        "near_duplicate_of_positive": [(0, "d-three TWO one")],
        "near_duplicate_of_query": [(0, "d-The query!")],
        "near_duplicate_of_negative": [(1, "d-y x")],
    }
    assert measured.figure("near_duplicate_of_positive_share").value == 1 / 6


def test_the_bound_itself_is_no_near_duplicate() -> None:
    """19 of 20 words in common is 0.95, 20 of 21 is 0.952."""
    nineteen, more = _TWENTY.rsplit(" ", 1)[0], _TWENTY + " w20"
    data = written(example("q", [_TWENTY], [nineteen, more]))
    measured = NearDuplicateNegatives().measure(data, AuditContext())
    assert found(measured.findings, "near_duplicate_of_positive") == [(0, 2)]


def test_chinese_is_compared_by_characters() -> None:
    data = written(example("q", ["河流穿过北方的平原"], ["北方的平原穿过河流", "面包师"]))
    measured = NearDuplicateNegatives().measure(data, AuditContext())
    assert found(measured.findings, "near_duplicate_of_positive") == [(0, 1)]


def test_without_negatives_it_is_skipped() -> None:
    measured = NearDuplicateNegatives().measure(written(example("q", ["p"])), AuditContext())
    assert measured.skipped == "the data set has no negatives"
