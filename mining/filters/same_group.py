"""Documents that belong together are no negatives of each other."""

from __future__ import annotations

from typing import ClassVar

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("same_group")
class SameGroup(Filter):
    """Drop documents of a positive's group: near duplicates, chunks of one parent, one entity."""

    reason: ClassVar[str] = "same_group_as_positive"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the group is another one."""
        return ~block.shares_with_positive(block.corpus.group)
