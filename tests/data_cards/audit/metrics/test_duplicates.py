"""Exact duplicates, contradictions, and what splits share."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.duplicates import Duplicates
from tests.data_cards.audit.written import example, found, written


def test_case_spaces_and_punctuation_do_not_make_a_query_different() -> None:
    data = written(
        example("What is it?", ["a"]), example("what  is IT", ["b"]), example("what is hit", ["c"])
    )
    measured = Duplicates().measure(data, AuditContext())
    assert found(measured.findings, "duplicate_query") == [(1, -1)]
    assert measured.figure("duplicate_query_share").value == 1 / 3
    assert measured.findings["detail"].to_list() == ["same as query q-What is it?"]


def test_different_emoji_are_different_queries() -> None:
    measured = Duplicates().measure(
        written(example("🙂", ["a"]), example("🙁", ["b"])), AuditContext()
    )
    assert measured.finding_counts["duplicate_query"] == 0


def test_pairs_and_documents_are_compared_by_their_words() -> None:
    data = written(example("q", ["A."]), example("q", ["a"]), example("r", ["a"]))
    measured = Duplicates().measure(data, AuditContext())
    assert found(measured.findings, "duplicate_pair") == [(1, 1)]
    assert found(measured.findings, "duplicate_document") == [(-1, 1)]
    assert measured.figure("duplicate_pair_share").value == 1 / 3
    assert measured.figure("duplicate_document_share").value == 1 / 2


def test_a_document_that_is_positive_of_one_row_and_negative_of_another_contradicts() -> None:
    data = written(
        example("q", ["a"], ["b"]), example("Q!", ["c"], ["A", "d"]), example("r", ["b"], ["c"])
    )
    measured = Duplicates().measure(data, AuditContext())
    assert found(measured.findings, "negative_is_positive_of_the_query") == [(1, 3)]
    assert measured.figure("contradictory_negative_share").value == 1 / 4


def test_queries_positives_and_groups_are_held_against_other_splits() -> None:
    data = written(
        example("q", ["a"]),
        example("r", ["b"], group_id="g"),
        example("Q", ["c"], split="validation"),
        example("s", ["B"], split="test"),
        example("t", ["d"], split="test", group_id="g"),
        example("u", ["e"], ["a"], split="test"),
    )
    measured = Duplicates().measure(data, AuditContext())
    assert found(measured.findings, "query_in_other_split") == [(2, -1)]
    assert [row for row, _ in found(measured.findings, "positive_in_other_split")] == [3]
    assert found(measured.findings, "group_in_other_split") == [(4, -1)]
    assert measured.figure("held_out_query_share").value == 1 / 4
    assert measured.figure("groups_across_splits").value == 1


def test_repeats_inside_one_split_leak_nothing() -> None:
    measured = Duplicates().measure(
        written(example("q", ["a"]), example("q", ["a"])), AuditContext()
    )
    assert measured.figure("held_out_query_share").value == 0
    assert measured.notes == ("There is one split only: nothing is held out.",)
