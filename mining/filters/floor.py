"""A document too far from the query teaches nothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("floor")
class Floor(Filter):
    """Keep a candidate that scores at least `threshold`.

    Attributes:
        threshold: Cosine; 0 (own) only drops what points away from the query. Depends on the
            encoder.
    """

    reason: ClassVar[str] = "below_floor"
    threshold: float = Field(default=0.0, ge=-1, le=1)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the score is at least the threshold."""
        kept: Mask = block.scores >= np.float32(self.threshold)
        return kept

    def is_exhausted(self, block: CandidateBlock) -> Mask:
        """Return where the lowest candidate is below the floor already."""
        return np.asarray((block.scores < np.float32(self.threshold)).any(axis=1))
