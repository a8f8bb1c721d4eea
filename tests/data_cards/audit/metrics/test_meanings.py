"""Metrics that compare vectors, on vectors written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from data_cards.audit.metric import NO_ENCODER, AuditContext
from data_cards.audit.metrics.embedding_diversity import EmbeddingDiversity
from data_cards.audit.metrics.positive_rank import PositiveRank
from data_cards.audit.metrics.reference_shift import ReferenceShift
from data_cards.audit.metrics.source_purity import SourcePurity
from data_cards.audit.spread import spread_of
from mining.encoders.hashing import Hashing
from tests.data_cards.audit.linked import GivenVectors, Link, Row, audited


@pytest.mark.parametrize("size", [1, 3, 12])
def test_equal_texts_have_a_vendi_score_of_one_and_orthogonal_ones_of_their_number(
    size: int,
) -> None:
    equal = spread_of(np.tile(np.eye(8, dtype=np.float32)[0], (size, 1)))
    assert equal.vendi == pytest.approx(1)
    assert equal.spread == pytest.approx(0)
    apart = spread_of(np.eye(16, dtype=np.float32)[:size])
    assert apart.vendi == pytest.approx(size)
    assert apart.mean_cosine == pytest.approx(0, abs=1e-9)


def test_two_texts_at_sixty_degrees_have_the_vendi_score_of_the_formula() -> None:
    found = spread_of(np.array([[1, 0], [0.5, math.sqrt(0.75)]], np.float32))
    # Eigenvalues of [[1, .5], [.5, 1]] / 2 are 3/4 and 1/4.
    assert found.vendi == pytest.approx(0.75**-0.75 * 0.25**-0.25, rel=1e-5)
    assert found.mean_cosine == pytest.approx(0.5, rel=1e-5)
    assert found.spread == pytest.approx(1 - math.sqrt(0.75), rel=1e-5)


def test_texts_in_which_the_encoder_finds_nothing_are_left_out() -> None:
    assert spread_of(np.zeros((3, 2), np.float32)).num == 0
    assert spread_of(np.array([[0, 0], [1, 0]], np.float32)).vendi == pytest.approx(1)


def test_diversity_is_given_for_each_task_language_and_side_and_counts_texts_once() -> None:
    encoder = GivenVectors(vectors={"a": (1, 0), "b": (0, 1), "p": (1, 0), "r": (1, 0)})
    rows = [
        Row("a", [Link("p")]),
        Row("a", [Link("r")]),
        Row("b", [Link("p")], language="fra-Latn"),
    ]
    found = EmbeddingDiversity().measure(audited(rows), AuditContext(encoder=encoder))
    assert found.figure("query_vendi").value == pytest.approx(2)
    assert found.figure("positive_vendi").value == pytest.approx(1)
    assert [line[:5] for line in found.breakdowns[0].lines] == [
        ("t", "eng-Latn", "query", 1, 1.0),
        ("t", "fra-Latn", "query", 1, 1.0),
        ("t", "eng-Latn", "positive", 2, 1.0),
        ("t", "fra-Latn", "positive", 1, 1.0),
    ]


def test_the_rank_of_the_best_positive_counts_nearer_documents_only() -> None:
    encoder = GivenVectors(
        vectors={
            "a": (1, 0),
            "best": (1, 0),
            "near": (0.8, 0.6),
            "copy": (0.8, 0.6),
            "far": (0, 1),
        }
    )
    rows = [
        Row("a", [Link("best")], [Link("near"), Link("far")]),
        Row("a", [Link("near"), Link("far")], [Link("copy")]),
    ]
    found = PositiveRank().measure(audited(rows), AuditContext(encoder=encoder))
    assert found.figure("top_1").value == 0.5
    assert found.figure("top_10").value == 1
    assert {bar.label: bar.height for bar in found.histograms[0].bars if bar.height} == {
        "0": 1,
        "1 to 9": 1,
    }


def test_a_positive_beyond_rank_100_is_found() -> None:
    angles = {f"d{n}": (math.cos(n / 200), math.sin(n / 200)) for n in range(150)}
    encoder = GivenVectors(vectors={"a": (1.0, 0.0), **angles})
    rows = [Row("a", [Link("d120")], [Link(name) for name in angles if name != "d120"])]
    found = PositiveRank().measure(audited(rows), AuditContext(encoder=encoder))
    assert found.figure("beyond_100").value == 1
    assert found.findings.select("row", "value").rows() == [(0, 120.0)]


def test_a_sampled_pool_holds_every_positive_and_says_that_it_is_one() -> None:
    rows = [Row(f"query {n}", [Link(f"text {n}")], [Link(f"other {n}")]) for n in range(30)]
    context = AuditContext(encoder=Hashing())
    found = PositiveRank(max_documents=5).measure(audited(rows), context)
    assert "of 60 different documents" in found.notes[0]
    assert found.figure("top_10").sample == 30


def test_reference_texts_of_the_same_kind_show_no_shift_and_others_do() -> None:
    draw = np.random.default_rng(3)
    same = [f"what is {draw.integers(1000)} and {draw.integers(1000)}" for _ in range(400)]
    rows = [Row(text, [Link("p")], generator="m") for text in same[:200]]
    context = AuditContext(encoder=Hashing(), reference=tuple(same[200:]))
    quiet = ReferenceShift().measure(audited(rows), context)
    assert quiet.figure("q").value == pytest.approx(0.5, abs=0.08)
    assert quiet.figure("rank_sum_p").value > 0.01
    strange = [Row(f"zebra {n} in purple", [Link("p")], generator="m") for n in range(200)]
    loud = ReferenceShift().measure(audited(strange), context)
    assert loud.figure("q").value < 0.05
    assert loud.figure("rank_sum_p").value < 1e-6


def test_depth_is_two_minus_the_mean_cosine_distance_and_q_is_the_rank_statistic() -> None:
    vectors: dict[str, tuple[float, ...]] = {
        f"r{n}": (math.cos(n / 9), math.sin(n / 9)) for n in range(20)
    }
    vectors |= {f"g{n}": (math.cos(n / 30), math.sin(n / 30)) for n in range(20)}
    rows = [Row(f"g{n}", [Link("p")], generator="m") for n in range(20)]
    reference = tuple(f"r{n}" for n in range(20))
    context = AuditContext(encoder=GivenVectors(vectors=vectors), reference=reference)
    found = ReferenceShift().measure(audited(rows), context)
    human = [
        2 - np.mean([1 - math.cos((a - b) / 9) for b in range(20) if b != a]) for a in range(20)
    ]
    depths = [2 - np.mean([1 - math.cos(a / 30 - b / 9) for b in range(20)]) for a in range(20)]
    assert found.figure("depth_reference").value == pytest.approx(np.mean(human), rel=1e-6)
    assert found.figure("depth_generated").value == pytest.approx(np.mean(depths), rel=1e-6)
    wins = np.mean([[(h <= d) for d in depths] for h in human])
    assert found.figure("q").value == pytest.approx(wins, abs=1e-9)
    assert found.figure("rank_sum_z").value == pytest.approx(stats.ranksums(human, depths)[0])


def test_without_reference_the_queries_of_people_are_compared_with() -> None:
    rows = [Row(f"human {n}", [Link("p")]) for n in range(25)]
    rows += [Row(f"made {n}", [Link("p")], generator="m") for n in range(25)]
    found = ReferenceShift().measure(audited(rows), AuditContext(encoder=Hashing()))
    assert "own human queries" in found.notes[0]
    few = ReferenceShift().measure(audited(rows[:30]), AuditContext(encoder=Hashing()))
    assert "fewer than 20" in few.skipped


def test_generated_negatives_that_cluster_are_pure_and_mixed_ones_are_at_chance() -> None:
    def rows(apart: bool) -> tuple[list[Row], dict[str, tuple[float, ...]]]:
        draw = np.random.default_rng(5)
        vectors, found = {}, []
        for n in range(60):
            made, real = f"made {n}", f"real {n}"
            vectors[made] = (*draw.normal(size=6), 9.0 if apart else 0.0)
            vectors[real] = (*draw.normal(size=6), 0.0)
            found.append(Row(f"q{n}", [Link("p")], [Link(made, source="generated:m"), Link(real)]))
        return found, {k: tuple(map(float, v)) for k, v in vectors.items()}

    for apart, low, high in ((True, 1.0, 1.0), (False, 0.35, 0.65)):
        examples, vectors = rows(apart)
        context = AuditContext(encoder=GivenVectors(vectors=vectors))
        found = SourcePurity().measure(audited(examples), context)
        assert low <= found.figure("same_source").value <= high
        assert found.figure("chance").value == pytest.approx(0.5)
    none = SourcePurity().measure(audited([Row("a", [Link("p")], [Link("x")])]), context)
    assert none.skipped == "the data set has no generated negatives"


def test_without_an_encoder_meanings_are_not_measured() -> None:
    data = audited([Row("a", [Link("p")], [Link("x")])])
    for metric in (EmbeddingDiversity(), PositiveRank(), ReferenceShift(), SourcePurity()):
        assert metric.measure(data, AuditContext()).skipped == NO_ENCODER
