"""Which sources, domains or topics negatives may come from."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from mining.corpus import CorpusView
from mining.filters import FILTERS, CandidateBlock, Filter, Mask
from mining.scope import Asked, Scope

Policy = Literal["same", "other", "any"]

# Leaving a value out of the search is worth a pass of its own over the rest only if many documents
# have it: a value's share of the corpus must be at least 1 / 16 (own), so there are at most 16.
_SHARES = 16


@FILTERS.register("attribute")
class Attribute(Filter):
    """Keep candidates that have the positives' value of a column, or only those of other values.

    A document without a value is not "same" as anything, and so "other". Where "same" holds, only
    those documents are searched, and ranks are ranks among them; where "other" does, all documents
    but those of the values that at least a sixteenth of the corpus has.

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

    def scopes(self, corpus: CorpusView, asked: Asked) -> list[Scope]:
        """Return the documents that each policy allows; see `Filter.scopes`."""
        scopes = []
        for column, policy in self.policies.items():
            if policy == "any":
                continue
            codes, values = corpus.attribute(column)
            own: list[tuple[int, ...] | None] = list(asked.positive_codes(codes))
            if policy == "other":
                counts = np.bincount(codes[codes >= 0], minlength=len(values))
                is_large = (counts * _SHARES >= len(corpus)).tolist()
                own = [tuple(c for c in one or () if is_large[c]) or None for one in own]
            scopes.append(Scope.of(codes, own, same=policy == "same"))
        return scopes
