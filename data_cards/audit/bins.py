"""Numbers as bars of a histogram."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from data_cards.audit.measurement import Bar, Histogram

Numbers = npt.NDArray[np.floating]

_NUM_BINS = 20


def even_histogram(name: str, title: str, series: Mapping[str, Numbers]) -> Histogram:
    """Return the counts of each series in twenty bins of equal width over all of them.

    Args:
        name: Of the histogram.
        title: For people.
        series: Name -> finite numbers; a series may be empty.
    """
    numbers = np.concatenate([np.zeros(0), *series.values()])
    if not len(numbers):
        return Histogram(name, title, ())
    low, high = float(numbers.min()), float(numbers.max())
    edges = np.linspace(low, high if high > low else low + 1.0, _NUM_BINS + 1)
    labels = [f"{a:.4g} to {b:.4g}" for a, b in itertools.pairwise(edges)]
    return edged_histogram(name, title, series, edges.tolist(), labels)


def edged_histogram(
    name: str,
    title: str,
    series: Mapping[str, Numbers],
    edges: Sequence[float],
    labels: Sequence[str],
) -> Histogram:
    """Return the counts of each series between edges; a bin holds its lower edge.

    Args:
        name: Of the histogram.
        title: For people.
        series: Name -> numbers within the edges.
        edges: B + 1, ascending; the last bin holds its upper edge, too.
        labels: B.
    """
    bars = tuple(
        Bar(label, float(height), own)
        for own, numbers in series.items()
        for label, height in zip(labels, np.histogram(numbers, edges)[0].tolist(), strict=True)
    )
    return Histogram(name, title, bars)
