"""What scores say, on rows whose numbers can be read."""

from __future__ import annotations

import pytest

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.hardness import Hardness
from data_cards.audit.metrics.scores import Scores
from tests.data_cards.audit.linked import GivenVectors, Link, Row, audited


def test_the_margin_is_the_lowest_positive_minus_the_highest_negative_of_each_source() -> None:
    row = Row(
        "a",
        [Link("p", score=0.9), Link("r", score=0.75)],
        [
            Link("x", score=0.5, source="dense:one"),
            Link("y", score=0.25, source="dense:one"),
            Link("z", score=1.0, source="bm25"),
        ],
    )
    found = Scores().measure(audited([row]), AuditContext())
    assert found.breakdowns[0].lines == (
        ("eng-Latn", "bm25", 1, 1.0, -0.25),
        ("eng-Latn", "dense:one", 1, 0.0, 0.25),
    )


def test_rows_with_a_negative_above_a_positive_are_listed_with_the_widest_first() -> None:
    rows = [
        Row("a", [Link("p", score=0.5)], [Link("x", score=0.625)]),
        Row("b", [Link("p", score=0.5)], [Link("x", score=0.5)]),
        Row("c", [Link("p", score=0.5)], [Link("x", score=0.75)]),
        Row("d", [Link("p", score=0.5)], [Link("x", score=0.25)]),
    ]
    found = Scores().measure(audited(rows), AuditContext())
    assert found.figure("negative_above_positive").value == 0.5
    assert found.findings.select("row", "value").rows() == [(2, 0.25), (0, 0.125)]


def test_negatives_drawn_at_random_stand_apart_in_the_ranks() -> None:
    ranks = [-1, 0, 4, 5, 1000]
    row = Row("a", [Link("p", score=0.9)], [Link(f"n{r}", score=0.1, rank=r) for r in ranks])
    found = Scores().measure(audited([row]), AuditContext())
    bars = {bar.label: bar.height for bar in found.histograms[2].bars}
    assert bars == {
        "random": 1,
        "0": 1,
        "1 to 4": 1,
        "5 to 9": 1,
        "10 to 29": 0,
        "30 to 99": 0,
        "100 to 999": 0,
        "1000 and more": 1,
    }
    assert found.figure("random_negatives").value == 0.2
    assert found.figure("rank_quantile_50").value in {4, 5}


def test_without_scores_nothing_is_measured() -> None:
    data = audited([Row("a", [Link("p")], [Link("x")])])
    assert Scores().measure(data, AuditContext()).skipped == "the data set has no scores"
    assert "no encoder" in Hardness().measure(data, AuditContext()).skipped


def test_hardness_is_relative_to_the_lowest_positive() -> None:
    rows = [
        Row(
            "a",
            [Link("p", score=1.0), Link("r", score=0.5)],
            [Link("x", score=0.5), Link("y", score=0.25), Link("z", score=0.6)],
        ),
        Row("b", [Link("p", score=0.5)], [Link("x", score=0.125)]),
    ]
    found = Hardness().measure(audited(rows), AuditContext())
    heights = {bar.label: bar.height for bar in found.histograms[0].bars if bar.height}
    assert heights == {"under 0.5": 1, "0.5 to 0.6": 1, "0.95 to 1": 1, "over 1": 1}
    assert found.figure("too_easy").value == 0.5
    assert found.figure("too_hard").value == 0.5
    easy = found.findings.filter(reason="all_negatives_too_easy")
    assert easy.select("row", "value").rows() == [(1, 0.75)]


def test_a_positive_that_scores_nothing_is_left_out_and_said() -> None:
    rows = [
        Row("a", [Link("p", score=-0.5)], [Link("x", score=0.5)]),
        Row("b", [Link("p", score=0.5)], [Link("x", score=0.4)]),
    ]
    found = Hardness().measure(audited(rows), AuditContext())
    assert found.figure("too_easy").sample == 1
    assert found.notes == ("1 rows have a positive that scores 0 or less: left out.",)


def test_where_there_are_no_scores_the_encoder_gives_them() -> None:
    encoder = GivenVectors(vectors={"a": (1, 0), "p": (0.8, 0.6), "x": (0.6, 0.8), "y": (0, 1)})
    data = audited([Row("a", [Link("p")], [Link("x"), Link("y")])])
    found = Hardness().measure(data, AuditContext(encoder=encoder))
    heights = {bar.label: bar.height for bar in found.histograms[0].bars if bar.height}
    assert heights == {"under 0.5": 1, "0.7 to 0.8": 1}
    assert found.notes == ("No scores: 1 of 1 rows were scored by given.",)
    assert found.figure("too_easy").value == pytest.approx(0)
