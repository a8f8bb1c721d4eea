"""`pair_cosine` and `easiness`: bounds on the cosine, absolute or by percentile."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mining.pair_rules import judge_pairs
from mining.pair_rules.easiness import Easiness
from mining.pair_rules.pair_cosine import PairCosine
from tests.mining.pair_rules.runs import pair, pairs_of, verdicts_of


def test_a_pair_below_the_cosine_stops_and_one_at_it_stays() -> None:
    at_bound = float(np.float32(0.7))  # as retrieve writes it, a little less than 0.7
    run = pairs_of([pair("a", source_score=at_bound), pair("b", source_score=0.69)])
    assert verdicts_of(run, PairCosine(min_cosine=0.7)) == {
        "b": ("below_pair_cosine", "cosine 0.69, at least 0.7")
    }


def test_a_language_may_have_its_own_cosine() -> None:
    run = pairs_of(
        [
            pair("a", query_language="fra-Latn", source_score=0.6),
            pair("b", query_language="spa-Latn", source_score=0.6),
        ]
    )
    rule = PairCosine(min_cosine=0.7, per_language={"fra-Latn": 0.5})
    assert list(verdicts_of(run, rule)) == ["b"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "either `min_cosine` or `percentile`"),
        ({"min_cosine": 0.7, "percentile": 10}, "either `min_cosine` or `percentile`"),
        ({"percentile": 10, "per_language": {"fra-Latn": 0.5}}, "`per_language` must go with"),
        ({"percentile": 101}, "less than or equal to 100"),
        ({"min_cosine": 7}, "less than or equal to 1"),
        ({"percentile": 10, "cell": ["topic"]}, "Input should be"),
    ],
)
def test_pair_cosine_refuses_settings_that_say_nothing_or_two_things(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        PairCosine.model_validate(settings)


def test_a_percentile_is_found_in_each_pair_of_languages_by_itself() -> None:
    english = [pair(f"e{i}", source_score=0.8 + i / 100) for i in range(10)]
    french = [
        pair(f"f{i}", query_language="fra-Latn", source_score=0.2 + i / 100) for i in range(10)
    ]
    rule = PairCosine(percentile=20, min_cell=10)
    # 20 % between ten values is at place 1.8: two are below.
    assert sorted(verdicts_of(pairs_of(english + french), rule)) == ["e0", "e1", "f0", "f1"]
    together = PairCosine(percentile=20, min_cell=10, cell=())
    assert sorted(verdicts_of(pairs_of(english + french), together)) == ["f0", "f1", "f2", "f3"]


def test_easiness_drops_what_is_above_the_percentile_of_task_and_language() -> None:
    rows = [pair(f"a{i}", source_score=i / 10) for i in range(10)]
    rows += [pair(f"b{i}", task="other", source_score=0.9 + i / 100) for i in range(10)]
    found = verdicts_of(pairs_of(rows), Easiness(min_cell=10))
    # The 70th percentile of 0.0 … 0.9 is 0.63.
    assert sorted(found) == ["a7", "a8", "a9", "b7", "b8", "b9"]
    assert found["a7"] == ("above_easiness_percentile", "cosine 0.7, at most 0.63")


def test_equal_cosines_are_none_of_them_easier_than_the_others() -> None:
    run = pairs_of([pair(f"a{i}", source_score=0.5) for i in range(40)])
    assert verdicts_of(run, Easiness()) == {}


def test_cells_that_are_too_small_lose_nothing_and_are_recorded() -> None:
    rows = [pair(f"a{i}", source_score=i / 10) for i in range(9)]
    rows += [pair(f"b{i:02}", task="other", source_score=i / 10) for i in range(10)]
    judged = judge_pairs(pairs_of(rows), [Easiness(min_cell=10)])
    assert {v[0] for v in judged.verdicts["query_id"].to_pylist()} == {"b"}
    assert judged.unjudged.to_pylist() == [
        {"query_id": f"a{i}", "rule": "easiness"} for i in range(9)
    ]


SCORES = st.lists(
    st.tuples(st.sampled_from("xy"), st.sampled_from(["eng-Latn", "fra-Latn"]), st.floats(-1, 1)),
    min_size=1,
    max_size=30,
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(scores=SCORES, percent=st.sampled_from([0, 12.5, 70, 100]), min_cell=st.integers(1, 5))
def test_easiness_is_numpys_percentile_by_cell(
    scores: list[tuple[str, str, float]], percent: float, min_cell: int
) -> None:
    rows = [
        pair(f"{i:03}", task=task, query_language=language, source_score=score)
        for i, (task, language, score) in enumerate(scores)
    ]
    cells: dict[tuple[str, str], list[float]] = defaultdict(list)
    for task, language, score in scores:
        cells[task, language].append(score)
    # Two ways to interpolate differ in the last digit, which no pair may hang on here.
    bounds = {cell: float(np.percentile(values, percent)) for cell, values in cells.items()}
    found = verdicts_of(pairs_of(rows), Easiness(percentile=percent, min_cell=min_cell))
    for i, (task, language, score) in enumerate(scores):
        bound = bounds[task, language]
        if abs(score - bound) > 1e-12:
            is_judged = len(cells[task, language]) >= min_cell
            assert (f"{i:03}" in found) is (is_judged and score > bound)
