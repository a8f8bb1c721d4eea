"""Which languages negatives may be in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from mining.corpus import CorpusView
from mining.filters import FILTERS, CandidateBlock, Filter, Mask, Scope


@FILTERS.register("language")
class Language(Filter):
    """Keep candidates in the query's language, or only those in other languages.

    Only those documents are searched, and ranks are ranks among them.

    Attributes:
        policy: "same" or "other"; leave the rule out for any.
    """

    reason: ClassVar[str] = "excluded_by_language_policy"
    policy: Literal["same", "other"] = "same"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the policy holds."""
        scope = self.scope(block.corpus, block.query_languages)
        is_same: Mask = scope.codes[block.rows] == scope.wanted[:, None]
        return is_same if scope.same else ~is_same

    def scope(self, corpus: CorpusView, query_languages: Sequence[str]) -> Scope:
        """Return the documents whose language the policy allows; see `Filter.scope`."""
        code_of = {tag: code for code, tag in enumerate(corpus.languages)}
        # No document has code -2: a language without documents leaves nothing, or everything.
        wanted = np.array([code_of.get(tag, -2) for tag in query_languages], np.int32)
        return Scope(corpus.language, wanted, self.policy == "same")
