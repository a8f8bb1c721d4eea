"""A document that nearly is a positive is no negative."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr

from mining.filters import FILTERS, CandidateBlock, Filter, Mask

if TYPE_CHECKING:
    from mining.word_sets import CorpusWordSets

# Candidates at a time: about 80 MB of hashes at 100 words a text.
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
    _kept: CorpusWordSets | None = PrivateAttr(default=None)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where no positive is nearly the same."""
        from mining.word_sets import any_exceeds

        out = np.ones(block.rows.shape, bool)
        queries, places = np.nonzero(block.alive)
        if not len(queries):
            return out
        documents = self._documents(block)
        for start in range(0, len(queries), _PAIRS):
            part = slice(start, start + _PAIRS)
            first, last = queries[part][0], queries[part][-1] + 1
            starts, positives = _joined(block.positive_rows[first:last])
            rows = np.concatenate([block.rows[queries[part], places[part]], positives])
            numbers, sets = documents.of(rows)
            own, others = np.split(numbers, [len(rows) - len(positives)])
            out[queries[part], places[part]] = ~any_exceeds(
                own, sets, queries[part] - first, starts, others, sets, self.jaccard
            )
        return out

    def _documents(self, block: CandidateBlock) -> CorpusWordSets:
        from mining.word_sets import CorpusWordSets

        documents = self._kept
        if documents is None or documents.corpus is not block.corpus:
            documents = CorpusWordSets(block.corpus, self.unit, self.shingle_length)
            self._kept = documents
        return documents


def _joined(
    rows: list[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where each query's rows start in one array, and the array."""
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(own) for own in rows], out=starts[1:])
    return starts, np.concatenate(rows).astype(np.int64, copy=False)
