"""What every strategy of selection must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mining.select import STRATEGIES, SelectionConfig, Survivors, select

Rows = np.ndarray[Any, np.dtype[np.int64]]


def survivors(counts: list[int], width: int, names: list[str] | None = None) -> Survivors:
    """Return queries with so many survivors each; scores and miners depend on the name only."""
    names = names or [f"q{i}" for i in range(len(counts))]
    rows = np.full((len(counts), width), -1, np.int64)
    scores = np.full(rows.shape, np.nan, np.float32)
    miners = np.zeros(rows.shape, np.int16)
    for place, (count, name) in enumerate(zip(counts, names, strict=True)):
        random = np.random.default_rng(int(name[1:]))
        rows[place, :count] = random.permutation(1000)[:count]
        scores[place, :count] = np.sort(random.random(count, np.float32))[::-1]
        miners[place, :count] = random.integers(0, 3, count)
    ranks = np.where(rows < 0, -1, np.arange(width))
    # No strategy looks at documents.
    return Survivors(rows, scores, ranks, miners, names, None)  # type: ignore[arg-type]


def _select(given: Survivors, name: str, n: int, seed: int = 3, **settings: Any) -> Rows:
    config = SelectionConfig.model_validate({"strategy": name, **settings})
    return select(given, n, config, seed)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@hypothesis_settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 14), min_size=1, max_size=6),
    n=st.integers(1, 9),
    sample_from=st.integers(1, 16),
    seed=st.integers(0, 2**31),
)
def test_every_query_gets_as_many_different_survivors_as_there_are_hardest_first(
    name: str, counts: list[int], n: int, sample_from: int, seed: int
) -> None:
    chosen = _select(survivors(counts, 14), name, n, seed, sample_from=sample_from)
    assert chosen.shape == (len(counts), n)
    for row, count in zip(chosen.tolist(), counts, strict=True):
        taken = [place for place in row if place >= 0]
        assert len(taken) == min(n, count)
        assert taken == sorted(set(taken))
        assert row[len(taken) :] == [-1] * (n - len(taken))
        assert max(taken, default=-1) < count


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_nothing_beyond_the_survivors_drawn_from_is_taken(name: str) -> None:
    chosen = _select(survivors([14] * 50, 14), name, 3, sample_from=5)
    assert chosen.max() < 5
    wide = _select(survivors([14] * 50, 14), name, 8, sample_from=5)
    assert wide.tolist() == [list(range(8))] * 50


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_querys_choice_depends_on_no_other_query_and_not_on_padding(name: str) -> None:
    together = _select(survivors([12, 3, 9], 14, ["q4", "q5", "q6"]), name, 4)
    alone = _select(survivors([9], 9, ["q6"]), name, 4)
    turned = _select(survivors([9, 12, 3], 20, ["q6", "q4", "q5"]), name, 4)
    assert alone[0].tolist() == together[2].tolist()
    assert turned.tolist() == together[[2, 0, 1]].tolist()


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_enough_survivors_are_asked_for(name: str) -> None:
    config = SelectionConfig.model_validate({"strategy": name, "sample_from": 9})
    needed = config.survivors_needed(4)
    # What lies further down than what was asked for changes nothing.
    short = _select(survivors([needed], needed, ["q1"]), name, 4, sample_from=9)
    assert (short >= 0).all()
    assert 4 <= needed <= 9


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_the_configuration_is_flat_and_survives_a_file(name: str) -> None:
    written = {"strategy": name, "sample_from": 7, "temperature": 0.5}
    config = SelectionConfig.model_validate(written)
    dumped = config.model_dump(mode="json")
    assert dumped.items() >= written.items()
    assert SelectionConfig.model_validate(dumped) == config
    assert config.strategy.sample_from == 7
    # What walks through a configuration field by field, as Prefect does, must not call a method.
    assert dict(config.strategy)["sample_from"] == 7
