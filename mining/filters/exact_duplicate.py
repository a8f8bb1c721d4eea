"""A document with the words of a positive, or of the query, is no negative."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mining import kernels
from mining.corpus import text_code
from mining.filters import FILTERS, CandidateBlock, Filter, Mask


@FILTERS.register("exact_duplicate")
class ExactDuplicate(Filter):
    """Drop documents whose words equal a positive's, or the query's own."""

    reason: ClassVar[str] = "equal_text"

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the words differ; case and punctuation do not count."""
        codes = np.full(block.rows.shape, -1, np.int64)
        codes[block.alive] = block.corpus.text_codes(block.rows[block.alive])
        queries = np.array([text_code(text) for text in block.query_texts], np.int64)
        out = codes == queries[:, None]
        positives = block.corpus.text_codes(block.positive_flat)
        kernels.mark_shared(codes, positives, block.positive_offsets, out)
        return ~out
