"""Smaller corpora that are as hard to search."""

from __future__ import annotations

import numpy as np
import pytest

from mining.subsample import subsample_corpus
from sdg.errors import ConfigError

DENSE = np.array([[1, 2, 3], [2, 4, -1]])
SPARSE = np.array([[9, 1], [8, 7]])


def test_the_pool_is_what_any_miner_finds_near_the_top_and_all_positives() -> None:
    small = subsample_corpus([DENSE, SPARSE], np.array([20, 2, 20]), 1, top_n=2)
    assert small.rows.tolist() == [1, 2, 4, 7, 8, 9, 20]
    assert (small.num_positives, small.left_out) == (2, 0)
    assert subsample_corpus([DENSE], np.array([20]), 1, top_n=1).rows.tolist() == [1, 2, 20]


def test_a_limit_keeps_all_positives_and_counts_what_it_leaves_out() -> None:
    found = [np.arange(1000).reshape(10, 100)]
    positives = np.arange(2000, 2050)
    small = subsample_corpus(found, positives, 1, max_documents=150)
    assert set(positives.tolist()) <= set(small.rows.tolist())
    assert len(small.rows) == 150
    assert small.rows.tolist() == sorted(set(small.rows.tolist()))
    assert (small.num_positives, small.left_out) == (50, 900)
    again = subsample_corpus([found[0][::-1]], positives[::-1], 1, max_documents=150)
    assert again.rows.tolist() == small.rows.tolist()
    other = subsample_corpus(found, positives, 2, max_documents=150)
    assert other.rows.tolist() != small.rows.tolist()


def test_a_higher_limit_keeps_what_a_lower_one_kept() -> None:
    found = [np.arange(500)[None]]
    low = subsample_corpus(found, np.array([7]), 3, top_n=500, max_documents=50)
    high = subsample_corpus(found, np.array([7]), 3, top_n=500, max_documents=90)
    assert set(low.rows.tolist()) < set(high.rows.tolist())


def test_a_limit_below_the_positives_is_refused() -> None:
    with pytest.raises(ConfigError, match="positives, 3, but is 2"):
        subsample_corpus([DENSE], np.array([1, 2, 3]), 1, max_documents=2)


def test_no_queries_leave_nothing() -> None:
    assert subsample_corpus([], np.empty(0, np.int64), 1).rows.tolist() == []
