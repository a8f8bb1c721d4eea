from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.relabel.fusion import fuse_ranks, ranks_of

NAN = float("nan")


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([0.0, 1.0, 2.0, NAN])), min_size=0, max_size=20
    )
)
def test_ranks_agree_with_sorting_each_group(rows: list[tuple[int, float]]) -> None:
    groups = np.array([g for g, _ in rows], dtype=np.int64)
    scores = np.array([s for _, s in rows], dtype=np.float64)
    expected = np.full(len(rows), NAN)
    for group in set(groups.tolist()):
        scored = [i for i, (g, s) in enumerate(rows) if g == group and not np.isnan(s)]
        for rank, i in enumerate(sorted(scored, key=lambda i: (-rows[i][1], i))):
            expected[i] = rank
    np.testing.assert_array_equal(ranks_of(scores, groups, np.arange(len(rows))), expected)


def test_fusion_sums_reciprocal_ranks_and_ignores_missing_ones() -> None:
    fused = fuse_ranks(np.array([[0, 1, NAN], [1, NAN, NAN]]), constant=60)
    assert fused.tolist() == pytest.approx([1 / 61 + 1 / 62, 1 / 62, 0])


def test_no_rankings_fuse_to_zero() -> None:
    assert fuse_ranks(np.empty((0, 2)), constant=60).tolist() == [0, 0]
