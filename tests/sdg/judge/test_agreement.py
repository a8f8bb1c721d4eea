"""Agreement of judges: rates, kappa, intervals, samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.errors import ContractError
from sdg.judge.agreement import cohens_kappa, compare_labels, labels_of, sample_pairs
from sdg.judge.config import AgreementConfig, JudgeConfig
from sdg.judge.second_opinion import ask_second_opinion
from sdg.rate import rate
from sdg.schemas import JUDGMENTS
from tests.sdg.judge.test_policies import Nobody, Told, judged, mined


def _labels(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_wilson_intervals_are_the_published_ones() -> None:
    """Figures of Newcombe 1998, Statistics in Medicine 17, table I, method 3."""
    for part, whole, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = rate(part, whole)
        assert (found.part, found.whole) == (part, whole)
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert rate(20, 20).high == 1.0
    assert rate(0, 0) == (0, 0, 0.0, 1.0)
    with pytest.raises(ContractError, match="3 of 2"):
        rate(3, 2)


def test_kappa_of_a_worked_example() -> None:
    """20 both yes, 15 both no, 5 and 10 apart: observed 0.7, expected 0.5, kappa 0.4."""
    first = _labels(*[1] * 25, *[0] * 25)
    second = _labels(*[1] * 20, *[0] * 5, *[1] * 10, *[0] * 15)
    found = compare_labels(first, second, 1)
    assert found.kappa == pytest.approx(0.4)
    assert found.same[:2] == (35, 50)
    assert found.first[:2] == (25, 50)
    assert found.second[:2] == (30, 50)
    assert found.kappa_low is not None
    assert found.kappa_high is not None
    # By Cohen's large-sample error, sqrt(0.7 * 0.3 / 50) / 0.5, it is 0.146 to 0.654.
    assert found.kappa_low == pytest.approx(0.146, abs=0.03)
    assert found.kappa_high == pytest.approx(0.654, abs=0.03)


def test_kappa_is_not_defined_where_both_say_one_and_the_same_of_everything() -> None:
    for labels in (_labels(), _labels(0, 0, 0), _labels(1, 1)):
        found = compare_labels(labels, labels, 1)
        assert (found.kappa, found.kappa_low, found.kappa_high) == (None, None, None)


def test_kappa_of_grades_counts_equal_grades_only() -> None:
    table = np.array([[5.0, 1, 0, 0], [0, 4, 1, 0], [0, 0, 3, 2], [0, 0, 0, 4]])
    total, observed = 20.0, 16 / 20
    expected = sum(table.sum(1) * table.sum(0)) / total**2
    assert float(cohens_kappa(table)) == pytest.approx((observed - expected) / (1 - expected))


labels = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30)


@given(labels, st.randoms(use_true_random=False))
def test_neither_who_is_first_nor_the_order_of_pairs_changes_kappa(
    pairs: list[tuple[int, int]], random: np.random.Generator
) -> None:
    first, second = (_labels(*side) for side in zip(*pairs, strict=True))
    there, back = compare_labels(first, second, 5), compare_labels(second, first, 5)
    assert there.kappa == pytest.approx(back.kappa)
    turned = compare_labels(first[::-1], second[::-1], 5)
    assert turned == there
    if there.kappa is not None:
        assert -1.0 <= there.kappa <= 1.0
        assert there.kappa_low is not None
        assert there.kappa_high is not None
        assert there.kappa_low <= there.kappa_high
    if (first == second).all():
        assert there.kappa in (None, 1.0)


def test_labels_without_a_verdict_are_refused() -> None:
    assert labels_of([True, False, None]).tolist() == [1, 0, -1]
    with pytest.raises(ContractError, match="the least being -1"):
        compare_labels(labels_of([True, None]), labels_of([True, True]), 1)
    with pytest.raises(ContractError, match="2 and 1"):
        compare_labels(_labels(1, 0), _labels(1), 1)


def _judgments(pairs: Sequence[tuple[str, str]]) -> pa.Table:
    rows = [{"query_id": q, "doc_id": d, "is_false_negative": False} for q, d in pairs]
    return pa.Table.from_pylist(rows, schema=JUDGMENTS)


def test_a_sample_has_one_pair_of_a_query_and_depends_on_the_seed_alone() -> None:
    pairs = [(f"q{i:02d}", f"d{j}") for i in range(40) for j in range(5)]
    drawn = sample_pairs(_judgments(pairs), 10, 1)
    assert len(drawn) == len({query_id for query_id, _ in drawn}) == 10
    assert drawn == sorted(drawn)
    assert sample_pairs(_judgments(pairs[::-1] + pairs[:7]), 10, 1) == drawn
    assert sample_pairs(_judgments(pairs), 10, 2) != drawn
    # A larger sample holds the smaller one, and not always the same place of the list.
    assert set(drawn) < set(sample_pairs(_judgments(pairs), 20, 1))
    assert len({doc_id for _, doc_id in sample_pairs(_judgments(pairs), 40, 1)}) > 2
    assert len(sample_pairs(_judgments(pairs), 99, 1)) == 40


def test_a_second_opinion_measures_what_is_left_and_changes_nothing() -> None:
    pools = {f"q{i}": [f"a{i}", f"b{i}", f"c{i}"] for i in range(20)}
    rows = mined(pools)
    first = Told(says={f"a{i}": "yes" for i in range(20)})
    done = judged(rows, first)
    # The second judge flags all that the first did, and b0 to b9; it cannot read c3.
    second = Told(
        says={f"a{i}": "yes" for i in range(20)}
        | {f"b{i}": "yes" for i in range(10)}
        | {"c3": "invalid_json"}
    )
    config = JudgeConfig(
        enabled=True, judges=(first,), agreement=AgreementConfig(judge=second, sample=20)
    )
    tables = (rows, done.judgments, done.result.kept)
    opinion = ask_second_opinion(tables, config, Nobody(), 7)
    asked = [(q, d) for q, d in second.saw]
    assert [q for q, _ in asked] == sorted(pools)
    figures = opinion.figures
    read = [d for _, d in asked if d != "c3"]
    assert figures["sampled"] == 20
    assert figures["unreadable"] == 20 - len(read)
    agreed = [d for d in read if not (d[0] == "b" and int(d[1:]) < 10)]
    assert figures["same"]["part"] == len(agreed)
    assert figures["first"]["part"] == sum(d[0] == "a" for d in read)
    left = [d for d in read if d[0] != "a"]
    assert figures["false_negatives"]["whole"] == len(left)
    assert figures["false_negatives"]["part"] == len(read) - len(agreed)
    assert opinion.judgments["judge"].unique().to_pylist() == ["0:told"]
    part = rows._replace(queries=rows.queries.slice(1))
    with pytest.raises(ContractError, match="q0"):
        ask_second_opinion((part, *tables[1:]), config, Nobody(), 7)
