"""A positive is never its own negative."""

from __future__ import annotations

from typing import ClassVar

from mining import kernels
from mining.filters import FILTERS, CandidateBlock, Filter, Mask, Rows


@FILTERS.register("known_positive")
class KnownPositive(Filter):
    """Drop the query's positives, all of them, and the document it was written for."""

    reason: ClassVar[str] = "known_positive"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the candidate is none of the positives."""
        return ~block.is_positive()

    def apply(self, block: CandidateBlock, dropped: Rows) -> None:
        """Do it in one pass; see `Filter.apply`."""
        positives = block.positive_flat, block.positive_offsets
        kernels.settle_rows(block.rows, *positives, block.alive, dropped)
