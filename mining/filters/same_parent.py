"""Chunks of one document are no negatives of each other."""

from __future__ import annotations

from typing import ClassVar

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("same_parent")
class SameParent(Filter):
    """Drop chunks cut from the same document as a positive."""

    reason: ClassVar[str] = "same_parent_as_positive"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the parent is another one."""
        return ~block.shares_with_positive(block.corpus.parent)
