"""Copied queries, lexical overlap, and what BM25 solves."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.bm25_solvable import Bm25Solvable
from data_cards.audit.metrics.copied_queries import CopiedQueries
from tests.data_cards.audit.written import example, found, written


def test_a_run_of_three_words_of_any_positive_is_a_copy_and_two_words_are_none() -> None:
    data = written(
        example("crosses the plain", ["x", "A river crosses, the plain."]),
        example("the plain", ["A river crosses the plain."]),
        example("crosses plain the", ["A river crosses the plain."]),
        example("rosses the plain", ["A river crosses the plain."]),
    )
    measured = CopiedQueries().measure(data, AuditContext())
    assert found(measured.findings, "query_copied_from_positive") == [(0, -1)]
    assert measured.figure("copied_query_share").value == 1 / 4


def test_overlap_is_the_share_of_the_querys_words_and_the_run_the_longest_shared_one() -> None:
    data = written(example("a b x y", ["a b c"]), example("d e", ["f", "e d"]))
    measured = CopiedQueries().measure(data, AuditContext())
    assert measured.figure("mean_overlap").value == (0.5 + 1.0) / 2
    assert measured.figure("mean_longest_run").value == (2 + 1) / 2
    assert measured.figure("full_overlap_share").value == 0.5
    bars = [bar.height for bar in measured.histograms[0].bars]
    assert (bars[5], bars[9], sum(bars)) == (1, 1, 2)


def test_bm25_solves_a_query_whose_positive_ranks_first_and_finds_it_among_ten() -> None:
    rows = [
        example("heron", ["the heron fishes"], ["the crane sleeps"]),
        example("falcon", ["a falcon dives from the top of the tower"], ["falcon"]),
        example("bird of prey", ["the osprey hunts"], ["a bird of night", "of bird and man"]),
        example("owl", ["an owl"]),
    ]
    measured = Bm25Solvable().measure(written(*rows), AuditContext())
    solved = measured.figure("solved_share")
    assert (solved.value, solved.sample) == (2 / 4, 4)
    assert solved.low is not None and solved.low < 0.5
    assert measured.figure("found_share").value == 3 / 4
    assert measured.notes == ("4 queries against 8 of 8 different documents.",)
