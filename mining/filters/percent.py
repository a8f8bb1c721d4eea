"""TopK-PercPos: a negative must be clearly less similar than the positive, as a fraction of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, Floats, ScoreRule
from mining.filters.per_language import by_language, is_empty

Fraction = Annotated[float, Field(gt=0, le=1)]


@FILTERS.register("percent")
class Percent(ScoreRule):
    """Keep a candidate that scores at most `positive - |positive| * (1 - fraction)`.

    For positive scores this is `fraction * positive`, as published; written as a subtraction it
    also holds for negative similarities, where the product would move the bound the wrong way.

    Attributes:
        fraction: 0.95 is NV-Retriever's best for English; 0.90 suits multilingual data (MIRACL).
        per_language: Another fraction for queries of a language, `{fra-Latn: 0.90}`; see
            `mining.calibrate`.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_percent_of_positive"
    fraction: Fraction = 0.95
    per_language: dict[str, Fraction] = Field(default_factory=dict, exclude_if=is_empty)

    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return no lower bound, and a fraction of the positive's score."""
        fractions = by_language(self.fraction, self.per_language, query_languages)
        upper = anchors - np.abs(anchors) * (1 - fractions).astype(np.float32)
        return np.full_like(upper, -np.inf), upper
