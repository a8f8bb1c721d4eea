"""TopK-MarginPos: a negative must score below the positive by a fixed margin."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("margin")
class Margin(Filter):
    """Keep a candidate that scores at most `positive - margin`.

    Attributes:
        margin: 0.05 is NV-Retriever's best for English; 0.15 the MIRACL paper's.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_positive_minus_margin"
    margin: float = Field(default=0.05, ge=0, le=2)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the score is at most the bound."""
        kept: Mask = block.scores <= (block.anchors - np.float32(self.margin))[:, None]
        return kept
