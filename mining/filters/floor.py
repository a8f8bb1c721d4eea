"""A document too far from the query teaches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, Floats, ScoreRule, unbounded


@FILTERS.register("floor")
class Floor(ScoreRule):
    """Keep a candidate that scores at least `threshold`.

    Attributes:
        threshold: Cosine; 0 (own) only drops what points away from the query. Depends on the
            encoder.
    """

    reason: ClassVar[str] = "below_floor"
    threshold: float = Field(default=0.0, ge=-1, le=1)

    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return the threshold, and no upper bound; see `ScoreRule.bounds`."""
        del query_languages
        lowest = np.full(len(anchors), self.threshold, np.float32)
        return lowest, unbounded(len(anchors))
