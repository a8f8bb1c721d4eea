"""TopK-MarginPos: a negative must score below the positive by a fixed margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, Floats, ScoreRule
from mining.filters.per_language import by_language, is_empty

Distance = Annotated[float, Field(ge=0, le=2)]


@FILTERS.register("margin")
class Margin(ScoreRule):
    """Keep a candidate that scores at most `positive - margin`.

    Attributes:
        margin: 0.05 is NV-Retriever's best for English; 0.15 the MIRACL paper's.
        per_language: Another margin for queries of a language; see `mining.calibrate`.

    Reference: Moreira et al. 2024, NV-Retriever, arXiv 2407.15831.
    """

    reason: ClassVar[str] = "above_positive_minus_margin"
    margin: Distance = 0.05
    per_language: dict[str, Distance] = Field(default_factory=dict, exclude_if=is_empty)

    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return no lower bound, and the positive's score less the margin."""
        margins = by_language(self.margin, self.per_language, query_languages)
        upper = anchors - margins.astype(np.float32)
        return np.full_like(upper, -np.inf), upper
