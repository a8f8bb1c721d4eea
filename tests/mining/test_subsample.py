"""Smaller corpora that are as hard to search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mining.subsample import check_limit, distinct, subsample_corpus
from sdg.errors import ConfigError

DENSE = np.array([1, 2, 3, 4])
SPARSE = np.array([1, 7, 8, 9, 20])
MINERS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sets(st.integers(0, 40)), max_size=3)


def test_padding_and_repeated_rows_are_no_documents() -> None:
    assert distinct(np.array([[3, 1, -1], [3, -1, -1]])).tolist() == [1, 3]
    assert distinct(np.empty((0, 5), np.int64)).tolist() == []


def test_the_pool_is_what_any_miner_finds_and_all_positives() -> None:
    small = subsample_corpus({"dense": DENSE, "bm25": SPARSE}, np.array([20, 2, 20]), 1)
    assert small.rows.tolist() == [1, 2, 3, 4, 7, 8, 9, 20]
    assert small.positives.tolist() == [2, 20]
    assert small.over_limit.tolist() == []
    assert small.found_only_by == {"dense": 2, "bm25": 3}


@given(MINERS, st.sets(st.integers(0, 40)), st.integers(0, 60), st.integers(0, 3))
def test_every_document_stays_or_was_left_out_or_was_never_found(
    found: dict[str, set[int]], positives: set[int], room: int, seed: int
) -> None:
    near = {name: np.array(sorted(rows), np.int64) for name, rows in found.items()}
    limit = len(positives) + room
    small = subsample_corpus(near, np.array(sorted(positives), np.int64), seed, limit)
    kept, left = set(small.rows.tolist()), set(small.over_limit.tolist())
    assert kept | left == positives.union(*found.values())
    assert not kept & left
    assert positives <= kept
    assert len(kept) <= limit
    assert not left or len(kept) == limit
    for name, rows in found.items():
        others = positives.union(*(own for other, own in found.items() if other != name))
        assert small.found_only_by[name] == len(rows - others)


def test_positives_are_as_many_as_the_limit_or_fewer() -> None:
    check_limit(5, None)
    check_limit(5, 5)
    with pytest.raises(ConfigError, match="number of positives, 6, but is 5 instead"):
        check_limit(6, 5)


def test_the_seed_decides_what_a_limit_leaves_out_and_the_order_of_finding_does_not() -> None:
    found, positives = np.arange(1000), np.arange(2000, 2050)
    small = subsample_corpus({"a": found}, positives, 1, max_documents=150)
    assert len(small.rows) == 150
    assert len(small.over_limit) == 900
    again = subsample_corpus({"a": found[::-1]}, positives[::-1], 1, max_documents=150)
    assert again.rows.tolist() == small.rows.tolist()
    other = subsample_corpus({"a": found}, positives, 2, max_documents=150)
    assert other.rows.tolist() != small.rows.tolist()


def test_a_higher_limit_keeps_what_a_lower_one_kept() -> None:
    near = {"a": np.arange(500)}
    low = subsample_corpus(near, np.array([7]), 3, max_documents=50)
    high = subsample_corpus(near, np.array([7]), 3, max_documents=90)
    assert set(low.rows.tolist()) < set(high.rows.tolist())


def test_a_limit_below_the_positives_is_refused() -> None:
    with pytest.raises(ConfigError, match="positives, 3, but is 2"):
        subsample_corpus({"dense": DENSE}, np.array([1, 2, 3]), 1, max_documents=2)


def test_no_miner_and_no_positive_leave_nothing() -> None:
    assert subsample_corpus({}, np.empty(0, np.int64), 1).rows.tolist() == []
