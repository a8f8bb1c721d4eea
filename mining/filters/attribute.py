"""Which sources, domains or topics negatives may come from."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, CandidateBlock, Filter, Mask

Policy = Literal["same", "other", "any"]


@FILTERS.register("attribute")
class Attribute(Filter):
    """Keep candidates that have the positives' value of a column, or only those of other values.

    A document without a value is not "same" as anything, and so "other".

    Attributes:
        policies: Column of the documents (source, topic, language, ...) -> "same" as one of the
            query's positives, "other" than all of them, or "any". All of them must hold.
    """

    reason: ClassVar[str] = "excluded_by_attribute_policy"
    policies: dict[str, Policy] = Field(default={"source": "same"}, min_length=1)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where every policy holds."""
        kept = np.ones(block.rows.shape, bool)
        for column, policy in self.policies.items():
            if policy != "any":
                codes, _ = block.corpus.attribute(column)
                is_same = block.shares_with_positive(codes)
                kept &= is_same if policy == "same" else ~is_same
        return kept
