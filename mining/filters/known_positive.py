"""A positive is never its own negative."""

from __future__ import annotations

from typing import ClassVar

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("known_positive")
class KnownPositive(Filter):
    """Drop the query's positives, all of them, and the document it was written for."""

    reason: ClassVar[str] = "known_positive"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the candidate is none of the positives."""
        return ~block.is_positive()
