"""Brute force in numpy: the oracle, and the back-end that needs nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.indexes import INDEXES, Index, Proposed

# Queries at a time: 16 MiB of scores for a block of 16,384.
_QUERY_ROWS = 256


@INDEXES.register("exact")
class ExactIndex(Index):
    """One matrix product and a partial sort."""

    def top_rows(
        self, queries: npt.NDArray[np.float32], block: npt.NDArray[np.float32], k: int
    ) -> Proposed:
        """Return the k best rows; see `Index.top_rows`."""
        rows = np.empty((len(queries), k), np.int64)
        scores = np.empty((len(queries), k), np.float32)
        last = len(block) - k
        for start in range(0, len(queries), _QUERY_ROWS):
            part = slice(start, start + _QUERY_ROWS)
            products = queries[part] @ block.T
            rows[part] = np.argpartition(products, last, axis=1)[:, last:]
            scores[part] = np.take_along_axis(products, rows[part], axis=1)
        return Proposed(rows, scores)
