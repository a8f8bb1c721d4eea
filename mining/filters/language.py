"""Which languages negatives may be in."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("language")
class Language(Filter):
    """Keep candidates in the query's language, or only those in other languages.

    Attributes:
        policy: "same" or "other"; leave the rule out for any.
    """

    reason: ClassVar[str] = "excluded_by_language_policy"
    policy: Literal["same", "other"] = "same"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the policy holds."""
        code_of = {tag: code for code, tag in enumerate(block.corpus.languages)}
        wanted = np.array([code_of.get(tag, -1) for tag in block.query_languages])
        is_same: Mask = block.corpus.language[block.rows] == wanted[:, None]
        return is_same if self.policy == "same" else ~is_same
