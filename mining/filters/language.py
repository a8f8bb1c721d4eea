"""Which languages negatives may be in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from mining.corpus import CorpusView
from mining.filters import FILTERS, CandidateBlock, Filter, Mask
from mining.scope import Asked, Scope


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
        wanted = np.array(_codes_of(block.corpus, block.query_languages), np.int32)
        is_same: Mask = block.corpus.language[block.rows] == wanted[:, None]
        return is_same if self.policy == "same" else ~is_same

    def scopes(self, corpus: CorpusView, asked: Asked) -> list[Scope]:
        """Return the documents whose language the policy allows; see `Filter.scopes`."""
        own = [(code,) for code in _codes_of(corpus, asked.languages)]
        return [Scope.of(corpus.language, own, same=self.policy == "same")]


def _codes_of(corpus: CorpusView, languages: Sequence[str]) -> list[int]:
    code_of = {tag: code for code, tag in enumerate(corpus.languages)}
    # No document has code -2: a language without documents leaves nothing, or everything.
    return [code_of.get(tag, -2) for tag in languages]
