"""A document that nearly is the query itself is no negative."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from mining.filters import FILTERS, CandidateBlock, Mask
from mining.filters.near_duplicate import NearDuplicate

_PAIRS = 100_000


@FILTERS.register("near_duplicate_of_query")
class NearDuplicateOfQuery(NearDuplicate):
    """Drop documents that share more than `jaccard` of their distinct words with the query.

    For corpora that hold what queries are made from: questions among questions, titles among
    titles. Short queries rarely share most of their words with a longer document.
    """

    version: ClassVar[int] = 1
    reason: ClassVar[str] = "near_duplicate_of_query"
    jaccard: float = Field(default=0.8, gt=0, le=1)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the query is not nearly the same."""
        from mining.word_sets import any_exceeds, word_sets

        out = np.ones(block.rows.shape, bool)
        queries, places = np.nonzero(block.alive)
        if not len(queries):
            return out
        documents = self._documents(block, self.unit)
        asked = word_sets(block.query_texts, self.unit, self.shingle_length)
        every = np.arange(len(block.query_texts) + 1)
        for start in range(0, len(queries), _PAIRS):
            part = slice(start, start + _PAIRS)
            numbers, sets = documents.of(block.rows[queries[part], places[part]])
            out[queries[part], places[part]] = ~any_exceeds(
                numbers, sets, queries[part], every, every[:-1], asked, self.jaccard
            )
        return out
