"""TopK-Abs: a negative must score below a fixed threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, Floats, ScoreRule, unbounded


@FILTERS.register("absolute")
class Absolute(ScoreRule):
    """Keep a candidate that scores below `threshold`, whatever the positive scores.

    Attributes:
        threshold: Cosine; 0.7 is NV-Retriever's (e5-mistral), 0.6 the MIRACL paper's. Depends on
            the encoder like no other rule.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_absolute_threshold"
    threshold: float = Field(default=0.7, ge=-1, le=1)

    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return no lower bound, and the score next below the threshold."""
        del query_languages
        highest = np.nextafter(np.float32(self.threshold), np.float32(-np.inf))
        return -unbounded(len(anchors)), np.full(len(anchors), highest, np.float32)
