"""TopK-PercPos: a negative must be clearly less similar than the positive, as a fraction of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, Floats, ScoreRule, unbounded


@FILTERS.register("percent")
class Percent(ScoreRule):
    """Keep a candidate that scores at most `positive - |positive| * (1 - fraction)`.

    For positive scores this is `fraction * positive`, as published; written as a subtraction it
    also holds for negative similarities, where the product would move the bound the wrong way.

    Attributes:
        fraction: 0.95 is NV-Retriever's best for English; 0.90 suits multilingual data (MIRACL).

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_percent_of_positive"
    fraction: float = Field(default=0.95, gt=0, le=1)

    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return no lower bound, and the fraction of the positive; see `ScoreRule.bounds`."""
        del query_languages
        upper: Floats = (anchors - np.abs(anchors) * np.float32(1 - self.fraction)).astype(
            np.float32
        )
        return -unbounded(len(anchors)), upper
