"""TopK-Abs: a negative must score below a fixed threshold."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("absolute")
class Absolute(Filter):
    """Keep a candidate that scores below `threshold`, whatever the positive scores.

    Attributes:
        threshold: Cosine; 0.7 is NV-Retriever's (e5-mistral), 0.6 the MIRACL paper's. Depends on
            the encoder like no other rule.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_absolute_threshold"
    threshold: float = Field(default=0.7, ge=-1, le=1)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the score is below the threshold."""
        kept: Mask = block.scores < np.float32(self.threshold)
        return kept
