"""Means over queries with intervals, by drawing queries again and again.

Reference: Efron 1979, Bootstrap methods; Sakai 2006, Evaluating evaluation metrics based on the
bootstrap, for its paired use in retrieval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_cards.probe.metrics import Values
from data_cards.probe.results import Interval

_CONFIDENCE = 0.95
# Draws held at a time: 32 MiB of counts.
_BLOCK_COUNTS = 2**22


class Bootstrap:
    """The same draws of queries for every metric and arm, so that differences are paired."""

    def __init__(self, num_queries: int, resamples: int, seed: int) -> None:
        """Remember what to draw.

        Args:
            num_queries: Q, at least 1.
            resamples: B draws of Q queries with replacement.
            seed: Of the draws.
        """
        self._num_queries = num_queries
        self._resamples = resamples
        self._seed = seed

    def interval(self, values: Values) -> Interval:
        """Return the mean of (Q,) values and the central 95 % of the means of all draws."""
        ends = (1 - _CONFIDENCE) / 2
        low, high = np.quantile(self._means(values), [ends, 1 - ends])
        # Rounded, so that the last bits of sums do not show in a file.
        return Interval(
            value=round(float(values.mean()), 6),
            low=round(float(low), 6),
            high=round(float(high), 6),
        )

    def gain(self, before: Values, after: Values) -> Interval:
        """Return the interval of `after - before`, query by query."""
        return self.interval(after - before)

    def _means(self, values: Values) -> npt.NDArray[np.float64]:
        draws = np.random.default_rng(self._seed)
        shares = np.full(self._num_queries, 1 / self._num_queries)
        size = max(1, _BLOCK_COUNTS // self._num_queries)
        means = [
            draws.multinomial(self._num_queries, shares, min(size, self._resamples - start))
            @ values
            for start in range(0, self._resamples, size)
        ]
        return np.concatenate(means) / self._num_queries
