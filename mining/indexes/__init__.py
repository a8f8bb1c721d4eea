"""Indexes: the top k of one block of the corpus, one back-end per file.

A back-end proposes rows with its own scores; `mining.search` scores them again in one way and sorts
by (score descending, id ascending), so all exact back-ends give equal results.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from sdg.part import Plugin
from sdg.registry import Registry


class Proposed(NamedTuple):
    """Rows of a block that score highest.

    Attributes:
        rows: (Q, k) row numbers inside the block, different within a query, any order, no padding.
        scores: (Q, k) float32 inner products as the back-end computed them.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]


class Index(Plugin):
    """Searches one block of vectors.

    Attributes:
        is_exact: False if rows among the true top k may be missed.
    """

    is_exact: ClassVar[bool] = True

    @abstractmethod
    def top_rows(
        self, queries: npt.NDArray[np.float32], block: npt.NDArray[np.float32], k: int
    ) -> Proposed:
        """Return the k rows of `block` with the highest inner products, for every query.

        Args:
            queries: (Q, D) float32.
            block: (B, D) float32.
            k: At most B.

        Returns:
            Q x k rows. Of rows whose scores differ by less than `max_error` any may be taken.
        """

    def max_error(self, dimension: int) -> float:
        """Return how far a score may be from the exact one, for vectors of length at most 1.

        The default is the bound for float32 sums in any order.
        """
        return 2.0 * dimension * 2.0**-24


INDEXES: Registry[Index] = Registry("index", "mining.indexes")
