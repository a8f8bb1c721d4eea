"""Random documents for short lists."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mining.draws import seeds_of
from mining.shortfall import Forbidden, RandomNegatives, draw_random_negatives, shuffled_at
from sdg.errors import ContractError

Rows = np.ndarray[Any, np.dtype[np.int64]]


def _pair_scores(queries: Rows, rows: Rows) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Score 0.00 to 0.99 by row, the same for every query."""
    del queries
    return ((rows * 37 % 100) / 100).astype(np.float32)


def _draw(
    missing: list[int],
    positives: list[list[int]],
    names: list[str],
    *,
    size: int = 60,
    upper: float = np.inf,
    codes: list[Rows] | None = None,
    chosen: list[list[int]] | None = None,
    max_draws: int = 10_000,
) -> RandomNegatives:
    forbidden = Forbidden(
        positive_rows=[np.array(own) for own in positives],
        chosen_rows=np.array(chosen or [[-1]] * len(missing)),
        codes=codes or [],
        upper=np.full(len(missing), upper, np.float32),
    )
    return draw_random_negatives(
        np.array(missing), names, forbidden, np.arange(size), _pair_scores, 7, max_draws
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 17, 64, 1000])
def test_each_seed_has_its_own_order_of_all_numbers(size: int) -> None:
    orders = shuffled_at(np.array([1, 2**63 + 5], np.uint64), np.arange(size), size)
    assert [sorted(order) for order in orders.tolist()] == [list(range(size))] * 2
    if size > 4:
        assert orders[0].tolist() != orders[1].tolist()
        assert orders[0].tolist() != list(range(size))


def test_every_document_is_as_likely_to_come_first() -> None:
    first = shuffled_at(np.arange(20_000, dtype=np.uint64), np.arange(1), 5).ravel()
    counts = Counter(first.tolist())
    assert [counts[row] / 20_000 for row in range(5)] == pytest.approx([0.2] * 5, abs=0.015)


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.integers(1, 40),
    missing=st.lists(st.integers(-2, 9), min_size=1, max_size=4),
    upper=st.sampled_from([-1.0, 0.3, 0.8, np.inf]),
)
def test_what_is_drawn_is_allowed_and_all_that_is_allowed_can_be_drawn(
    seed: int, size: int, missing: list[int], upper: float
) -> None:
    random = np.random.default_rng(seed)
    own = [random.integers(0, size, random.integers(1, 4)).tolist() for _ in missing]
    chosen = [random.integers(-1, size, 2).tolist() for _ in missing]
    codes = [random.integers(-1, 12, size), random.integers(-1, 3, size)]
    drawn = _draw(
        missing,
        own,
        [f"q{i}" for i in range(len(missing))],
        size=size,
        upper=upper,
        codes=codes,
        chosen=chosen,
    )
    scores = _pair_scores(np.arange(size), np.arange(size))
    for query, wanted in enumerate(missing):
        allowed = {
            row
            for row in range(size)
            if row not in own[query]
            and row not in chosen[query]
            and scores[row] <= np.float32(upper)
            and not any(c[row] >= 0 and c[row] in c[own[query]] for c in codes)
        }
        rows = [row for row in drawn.rows[query].tolist() if row >= 0]
        assert len(rows) == len(set(rows)) == min(max(wanted, 0), len(allowed))
        assert set(rows) <= allowed
        given_scores = drawn.scores[query][: len(rows)]
        assert given_scores.tolist() == scores[rows].tolist()
        assert rows == sorted(rows, key=lambda row: (-scores[row], row))
        assert np.isnan(drawn.scores[query][len(rows) :]).all()


def test_a_querys_documents_depend_on_no_other_query() -> None:
    together = _draw([2, 5, 1], [[0], [1], [2]], ["a", "b", "c"])
    alone = _draw([2], [[0]], ["a"])
    assert together.rows[0, :2].tolist() == alone.rows[0].tolist()
    assert together.draws[0] == alone.draws[0]
    assert together.rows[0, 2:].tolist() == [-1] * 3


def test_the_documents_tried_are_counted_up_to_the_last_one_taken() -> None:
    drawn = _draw([3], [[0]], ["a"], upper=0.3)
    seeds = seeds_of(7, "random_fill", ["a"])
    order = shuffled_at(seeds, np.arange(60), 60)[0].tolist()
    assert drawn.draws.tolist() == [1 + max(order.index(row) for row in drawn.rows[0].tolist())]
    assert drawn.draws[0] > 3


def test_a_query_that_tries_in_vain_stops_and_says_how_often_it_tried() -> None:
    drawn = _draw([2], [[0]], ["a"], upper=-1.0, max_draws=25)
    assert drawn.rows.tolist() == [[-1, -1]]
    assert drawn.draws.tolist() == [25]


def test_arrays_of_different_queries_are_refused() -> None:
    with pytest.raises(ContractError, match="2 ids"):
        _draw([1], [[0]], ["a", "b"])
