"""TopK-Abs: a negative must score below a fixed threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, Floats, ScoreRule
from mining.filters.per_language import by_language, is_empty

Cosine = Annotated[float, Field(ge=-1, le=1)]


@FILTERS.register("absolute")
class Absolute(ScoreRule):
    """Keep a candidate that scores below `threshold`, whatever the positive scores.

    Attributes:
        threshold: Cosine; 0.7 is NV-Retriever's (e5-mistral), 0.6 the MIRACL paper's. Depends on
            the encoder like no other rule.
        per_language: Another threshold for queries of a language; see `mining.calibrate`.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_absolute_threshold"
    threshold: Cosine = 0.7
    per_language: dict[str, Cosine] = Field(default_factory=dict, exclude_if=is_empty)

    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return no lower bound, and the highest number below the threshold."""
        thresholds = by_language(self.threshold, self.per_language, query_languages)
        upper = np.nextafter(thresholds.astype(np.float32), np.float32(-np.inf))
        return np.full_like(anchors, -np.inf), upper
