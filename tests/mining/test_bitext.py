"""Bitext mining against the published formula written naively."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mining.bitext import ArrayBlocks, BitextConfig, mine_bitext, nearest_rows
from sdg.errors import DataError

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Retrieval = Literal["max", "intersect", "forward", "backward"]


def _unit(random: np.random.Generator, rows: int, width: int = 4) -> Vectors:
    vectors = random.normal(size=(rows, width)) + 0.8
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _naive(
    x: Vectors, y: Vectors, k: int, margin: str, retrieval: str, threshold: float
) -> list[tuple[int, int]]:
    """Follow the paper sentence by sentence, with loops and no blocks."""
    cos = (x.astype(np.float64) @ y.astype(np.float64).T).astype(np.float32).astype(np.float64)
    near_x = [sorted(range(len(y)), key=lambda j: (-cos[i, j], j))[:k] for i in range(len(x))]
    near_y = [sorted(range(len(x)), key=lambda i: (-cos[i, j], i))[:k] for j in range(len(y))]
    mean_x = [np.mean([cos[i, j] for j in near_x[i]]) for i in range(len(x))]
    mean_y = [np.mean([cos[i, j] for i in near_y[j]]) for j in range(len(y))]

    def score(i: int, j: int) -> float:
        around = (mean_x[i] + mean_y[j]) / 2
        if margin == "distance":
            return float(cos[i, j] - around)
        return float(cos[i, j] / around) if around > 0 else -np.inf

    def turned(j: int, i: int) -> float:
        return score(i, j)

    forward = [(i, max(near_x[i], key=partial(score, i))) for i in range(len(x))]
    backward = [(max(near_y[j], key=partial(turned, j)), j) for j in range(len(y))]
    pairs = {
        "forward": forward,
        "backward": backward,
        "intersect": [pair for pair in forward if pair in backward],
        "max": forward + backward,
    }[retrieval]
    pairs = sorted(pairs, key=lambda pair: (-score(*pair), pair))
    if retrieval == "max":
        used_x: set[int] = set()
        used_y: set[int] = set()
        one_to_one = []
        for i, j in pairs:
            if i not in used_x and j not in used_y:
                one_to_one.append((i, j))
                used_x.add(i)
                used_y.add(j)
        pairs = one_to_one
    return [pair for pair in pairs if score(*pair) >= threshold]


@hypothesis_settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    blocks=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    k=st.integers(1, 6),
    margin=st.sampled_from(["ratio", "distance"]),
    retrieval=st.sampled_from(["max", "intersect", "forward", "backward"]),
    threshold=st.sampled_from([-10.0, 0.02, 1.02]),
)
def test_pairs_equal_the_formula_whatever_the_blocks(
    seed: int,
    sizes: tuple[int, int],
    blocks: tuple[int, int],
    k: int,
    margin: Literal["ratio", "distance"],
    retrieval: Retrieval,
    threshold: float,
) -> None:
    random = np.random.default_rng(seed)
    x, y = _unit(random, sizes[0]), _unit(random, sizes[1])
    y[:: max(1, sizes[1] // 3)] = y[0]  # equal sentences, hence ties
    config = BitextConfig(neighbours=k, margin=margin, retrieval=retrieval, threshold=threshold)
    found = mine_bitext(ArrayBlocks(x, blocks[0]), ArrayBlocks(y, blocks[1]), config).pairs
    pairs = list(zip(found.source_rows.tolist(), found.target_rows.tolist(), strict=True))
    assert pairs == _naive(x, y, k, margin, retrieval, threshold)


def _at(degrees: list[float]) -> ArrayBlocks:
    angles = np.radians(degrees)
    return ArrayBlocks(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))


def test_a_pair_that_stands_out_goes_before_nearer_ones_in_a_crowd() -> None:
    crowd = [0.0, 1.0, 2.0, 3.0]
    config = BitextConfig(neighbours=2, threshold=-10.0)
    found = mine_bitext(_at([*crowd, 90]), _at([*crowd, 60]), config).pairs
    cos = [float(np.cos(np.radians(degrees))) for degrees in (30, 87, 57)]
    # The sentence at 90 sees 60 and 3, the one at 60 sees 90 and 3.
    expected = cos[0] / (((cos[0] + cos[1]) / 2 + (cos[0] + cos[2]) / 2) / 2)
    assert (found.source_rows[0], found.target_rows[0]) == (4, 4)
    assert found.margins[0] == pytest.approx(expected, rel=1e-6)
    assert found.scores[0] == pytest.approx(cos[0])
    assert sorted(zip(found.source_rows, found.target_rows, strict=True)) == [
        (i, i) for i in range(5)
    ]
    assert found.margins[1] < 1.01


def test_pairs_below_the_threshold_are_told_in_order() -> None:
    x = _unit(np.random.default_rng(1), 20)
    y = _unit(np.random.default_rng(2), 20)
    every = mine_bitext(ArrayBlocks(x), ArrayBlocks(y), BitextConfig(threshold=-10.0))
    some = mine_bitext(ArrayBlocks(x), ArrayBlocks(y), BitextConfig())
    assert len(every.below_threshold.margins) == 0
    rows = np.concatenate([some.pairs.source_rows, some.below_threshold.source_rows])
    assert rows.tolist() == every.pairs.source_rows.tolist()
    assert some.pairs.margins.min() >= 1.04
    assert some.below_threshold.margins.max() < 1.04


def test_nothing_stands_out_where_the_neighbours_point_away() -> None:
    x, y = np.array([[1, 0]], np.float32), np.array([[-1, 0]], np.float32)
    found = mine_bitext(ArrayBlocks(x), ArrayBlocks(y), BitextConfig(threshold=-10.0))
    assert len(found.pairs.margins) == 0
    assert found.below_threshold.margins.tolist() == [-np.inf]


@pytest.mark.parametrize("retrieval", ["max", "intersect", "forward", "backward"])
def test_an_empty_side_gives_no_pairs(retrieval: Retrieval) -> None:
    some, none = (
        ArrayBlocks(_unit(np.random.default_rng(0), 3)),
        ArrayBlocks(np.empty((0, 4), np.float32)),
    )
    for source, target in ((some, none), (none, some)):
        found = mine_bitext(source, target, BitextConfig(retrieval=retrieval))
        assert found.pairs.source_rows.tolist() == []


def test_padding_fills_what_a_small_side_cannot_give() -> None:
    found = nearest_rows(np.eye(2, dtype=np.float32), ArrayBlocks(np.eye(2, dtype=np.float32)), 3)
    assert found.rows.tolist() == [[0, 1, -1], [1, 0, -1]]
    assert np.isnan(found.scores[:, 2]).all()


def test_a_vector_that_is_not_finite_is_named() -> None:
    x = _unit(np.random.default_rng(0), 5)
    x[3, 1] = np.nan
    for source, target in ((x, x[:2]), (x[:2], x)):
        with pytest.raises(DataError, match="row 3 of 5"):
            mine_bitext(ArrayBlocks(source), ArrayBlocks(target), BitextConfig())


def test_a_distance_needs_a_threshold_of_its_own() -> None:
    with pytest.raises(ValidationError, match="must be given for margin: distance"):
        BitextConfig(margin="distance")
