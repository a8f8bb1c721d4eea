"""Keys are found at the row where they were first added, whatever they collide with."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sdg.lookup import Lookup

# Few values, so that first words, second words and whole keys repeat.
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30)


def _keys(pairs: list[tuple[int, int]]) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return np.array(pairs, np.uint64).reshape(-1, 2)


@given(st.lists(PAIRS, max_size=5), PAIRS)
def test_find_returns_the_first_row_of_a_key(
    batches: list[list[tuple[int, int]]], asked: list[tuple[int, int]]
) -> None:
    lookup = Lookup()
    for batch in batches:
        lookup.add(_keys(batch))
    added = [pair for batch in batches for pair in batch]
    assert len(lookup) == len(added)
    expected = [added.index(pair) if pair in added else -1 for pair in asked]
    assert lookup.find(_keys(asked)).tolist() == expected
