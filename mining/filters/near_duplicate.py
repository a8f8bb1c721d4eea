"""A document that nearly is a positive is no negative."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mining.filters import FILTERS, CandidateBlock, Filter, Mask
from sdg.ids import comparison_key

_PAIRS = 100_000


@FILTERS.register("near_duplicate")
class NearDuplicate(Filter):
    """Drop documents that share more than `jaccard` of their distinct words with a positive.

    Attributes:
        jaccard: Parts in common / parts in either; 0.95 is CodeR's, 0.8 (own) is the bound under
            which the corpus stage calls two texts different.
        unit: The parts: "word", or "character" for scripts that do not separate words: runs of
            `shingle_length` characters.
        shingle_length: In characters (own).
    """

    reason: ClassVar[str] = "near_duplicate_of_positive"
    jaccard: float = Field(default=0.8, gt=0, le=1)
    unit: Literal["word", "character"] = "word"
    shingle_length: int = Field(default=5, ge=1, le=64)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where no positive is nearly the same."""
        out = np.ones(block.rows.shape, bool)
        queries, places = np.nonzero(block.alive)
        for start in range(0, len(queries), _PAIRS):
            part = slice(start, start + _PAIRS)
            out[queries[part], places[part]] = self._differs(block, queries[part], places[part])
        return out

    def _differs(
        self, block: CandidateBlock, queries: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
    ) -> list[bool]:
        rows = block.rows[queries, places]
        needed = [block.positive_rows[query] for query in np.unique(queries)]
        distinct = np.unique(np.concatenate([rows, *needed]))
        texts = block.corpus.texts(distinct)
        parts_of = {
            row: self._parts(comparison_key(text))
            for row, text in zip(distinct.tolist(), texts, strict=True)
        }
        return [
            all(
                self._is_below(parts_of[row], parts_of[positive])
                for positive in block.positive_rows[query].tolist()
            )
            for query, row in zip(queries.tolist(), rows.tolist(), strict=True)
        ]

    def _is_below(self, one: frozenset[str], other: frozenset[str]) -> bool:
        small, large = sorted((len(one), len(other)))
        # The similarity is at most small / large, and most pairs end here.
        if small <= self.jaccard * large:
            return large > 0
        shared = len(one & other)
        return shared <= self.jaccard * (small + large - shared)

    def _parts(self, key: str) -> frozenset[str]:
        if self.unit == "word":
            return frozenset(key.split())
        last = max(1, len(key) - self.shingle_length + 1)
        return frozenset(key[i : i + self.shingle_length] for i in range(last))
