"""A document with the words of a positive, or of the query, is no negative."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mining.corpus import text_code
from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("exact_duplicate")
class ExactDuplicate(Filter):
    """Drop documents whose words equal a positive's, or the query's own."""

    reason: ClassVar[str] = "equal_text"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the words differ; case and punctuation do not count."""
        # Only texts that are looked at get a code: the rest of the corpus keeps code 0.
        codes = np.zeros(len(block.corpus), np.int64)
        rows = np.unique(np.concatenate([block.rows[block.alive], *block.positive_rows]))
        codes[rows] = block.corpus.text_codes(rows)
        queries = np.array([text_code(text) for text in block.query_texts], np.int64)
        equals_query = codes[block.rows] == queries[:, None]
        return ~(equals_query | block.shares_with_positive(codes))
