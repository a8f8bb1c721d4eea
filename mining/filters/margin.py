"""TopK-MarginPos: a negative must score below the positive by a fixed margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, Floats, ScoreRule, unbounded


@FILTERS.register("margin")
class Margin(ScoreRule):
    """Keep a candidate that scores at most `positive - margin`.

    Attributes:
        margin: 0.05 is NV-Retriever's best for English; 0.15 the MIRACL paper's.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_positive_minus_margin"
    margin: float = Field(default=0.05, ge=0, le=2)

    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return no lower bound, and the positive less the margin; see `ScoreRule.bounds`."""
        del query_languages
        return -unbounded(len(anchors)), anchors - np.float32(self.margin)
