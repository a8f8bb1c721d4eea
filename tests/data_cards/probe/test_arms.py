from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from data_cards.probe import arms
from data_cards.probe.ranking import Floats
from sdg.errors import DataError
from tests.data_cards.probe import made

_CORPUS = {f"d{number}": (f"text {number}", f"g{number // 2}") for number in range(8)}
_ROWS = [
    ("text 0", ["d0"], ["d4", "d5"], "g0"),
    ("text 5", ["d5", "d4"], ["d1", "d0"], "g2"),
    ("text 7", ["d7"], ["d1"], "g3"),
]
_TRAIN = made.train(_ROWS, _CORPUS)


def _pool() -> arms.Pool:
    return arms.pool_of(_TRAIN.corpus, 100, 0)


def _encode(texts: list[str]) -> Floats:
    """Put text n at angle n / 10: the nearer the number, the more similar."""
    angles = np.array([float(text.split()[1]) for text in texts]) / 10
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_naive_negatives_are_the_nearest_that_are_no_positives() -> None:
    found = arms.naive_negatives(_TRAIN.rows, _pool(), 2, _encode, _encode)
    assert found == [["d1", "d2"], ["d6", "d3"], ["d6", "d5"]]


def test_random_negatives_are_no_positives_and_not_of_the_rows_group() -> None:
    for seed in range(30):
        found = arms.random_negatives(_TRAIN.rows, _pool(), 4, seed)
        assert found == arms.random_negatives(_TRAIN.rows, _pool(), 4, seed)
        for own, excluded in zip(found, [{"d0", "d1"}, {"d4", "d5"}, {"d6", "d7"}], strict=True):
            assert len(set(own)) == 4
            assert not set(own) & excluded


def test_too_few_documents_to_choose_from_are_an_error() -> None:
    with pytest.raises(DataError, match="must have 7 documents"):
        arms.random_negatives(_TRAIN.rows, _pool(), 7, 0)
    with pytest.raises(DataError, match="must have 8 documents"):
        arms.naive_negatives(_TRAIN.rows, _pool(), 8, _encode, _encode)


def test_stored_negatives_are_the_hardest_of_rows_that_have_enough() -> None:
    chosen = arms.choose_rows(_TRAIN.rows, 2, 100, 0)
    assert chosen.left_out == {"fewer_negatives_than_num_negatives": 1, "more_than_max_rows": 0}
    assert arms.stored_negatives(chosen.rows, 1) == [["d4"], ["d1"]]
    with pytest.raises(DataError, match="at least 3 negatives"):
        arms.choose_rows(_TRAIN.rows, 3, 100, 0)


def test_rows_beyond_the_limit_are_drawn_and_counted() -> None:
    rows = pl.concat([_TRAIN.rows] * 10)
    chosen = arms.choose_rows(rows, 1, 6, 0)
    assert chosen.rows.height == 6
    assert chosen.left_out["more_than_max_rows"] == 24
