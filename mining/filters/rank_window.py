"""Only ranks inside a window become negatives."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("rank_window")
class RankWindow(Filter):
    """Keep candidates whose 0-based rank is in [first, last).

    Attributes:
        first: Skips the top; 10 is the shift of NV-Retriever's comparison, 30 SFR's.
        last: None for no end; 100 is SFR's, 210 BGE's.
    """

    reason: ClassVar[str] = "outside_rank_window"
    first: int = Field(default=0, ge=0)
    last: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _is_not_empty(self) -> RankWindow:
        if self.last is not None and self.last <= self.first:
            raise ValueError(
                f"`rank_window.last` must be greater than `first` ({self.first}), but is "
                f"{self.last} instead. Ranks from `first` to `last` - 1 are kept."
            )
        return self

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the rank is inside."""
        kept: Mask = block.ranks >= self.first
        return kept if self.last is None else kept & (block.ranks < self.last)

    def search_depth(self, num_survivors: int) -> int:
        """Return how far down the window has that many candidates, or ends."""
        depth = self.first + num_survivors
        return depth if self.last is None else min(depth, self.last)

    def is_exhausted(self, block: CandidateBlock) -> Mask:
        """Return where the candidates reach the end of the window."""
        if self.last is None:
            return np.zeros(len(block.rows), bool)
        is_last = (block.rows >= 0) & (block.ranks >= self.last - 1)
        return np.asarray(is_last.any(axis=1))
