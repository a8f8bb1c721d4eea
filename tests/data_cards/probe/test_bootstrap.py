from __future__ import annotations

import numpy as np

from data_cards.probe.bootstrap import Bootstrap


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        interval = Bootstrap(80, 300, trial).interval(draws.beta(2, 3, 80))
        hits += interval.low <= 0.4 <= interval.high
    assert 0.88 <= hits / 200 <= 0.99


def test_a_gain_is_paired_by_query() -> None:
    """Both vary far more between queries than the gain does."""
    before = np.random.default_rng(1).random(100)
    bootstrap = Bootstrap(100, 500, 0)
    gain = bootstrap.gain(before, before + 0.01)
    assert (gain.value, gain.low, gain.high) == (0.01, 0.01, 0.01)
    alone = bootstrap.interval(before)
    assert alone.high - alone.low > 0.05


def test_the_seed_decides_the_draws() -> None:
    values = np.random.default_rng(1).random(100)
    assert Bootstrap(100, 500, 4).interval(values) == Bootstrap(100, 500, 4).interval(values)
    assert Bootstrap(100, 500, 4).interval(values) != Bootstrap(100, 500, 5).interval(values)
