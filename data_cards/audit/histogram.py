"""Bars and means that several metrics show."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from data_cards.audit.measurement import Bar, Figure, Histogram, Unit

_Z95 = 1.959963984540054


def tenths(name: str, title: str, values: npt.NDArray[np.float64]) -> Histogram:
    """Return how many `values` in [0, 1] lie in each tenth; 1 belongs to the last."""
    counts = np.bincount(np.minimum((values * 10).astype(np.int64), 9), minlength=10)
    bars = (
        Bar(f"{place / 10:.1f} to {(place + 1) / 10:.1f}", float(height))
        for place, height in enumerate(counts.tolist())
    )
    return Histogram(name, title, tuple(bars))


def mean_figure(
    name: str, values: npt.NDArray[Any], population: int, unit: Unit, label: str
) -> Figure:
    """Return the mean of a sample, with its normal 95 % interval if it is not all there is."""
    size = len(values)
    mean = float(values.mean()) if size else 0.0
    if size == population or size < 2:
        return Figure(name, mean, unit, None, None, size, population, label)
    spread = _Z95 * float(values.std(ddof=1)) / math.sqrt(size)
    return Figure(name, mean, unit, mean - spread, mean + spread, size, population, label)
