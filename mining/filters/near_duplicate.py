"""A document that nearly is a positive is no negative."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr

from mining.filters import FILTERS, CandidateBlock, Filter, Mask
from sdg.ids import MAX_WORD_JACCARD

if TYPE_CHECKING:
    from mining.word_sets import CorpusWordSets

Unit = Literal["word", "character"]

# Candidates at a time: about 80 MB of hashes at 100 words a text.
_PAIRS = 100_000


@FILTERS.register("near_duplicate")
class NearDuplicate(Filter):
    """Drop documents that share more than `jaccard` of their distinct words with a positive.

    Attributes:
        jaccard: Parts in common / parts in either; 0.95 is CodeR's, and the most: finished rows are
            checked against it. 0.8 (own) is the bound under which the corpus stage calls two texts
            different.
        unit: The parts: "word", or "character" for scripts that do not separate words: runs of
            `shingle_length` characters; what shares more than 0.95 of its words goes then, too.
        shingle_length: In characters (own).
    """

    version: ClassVar[int] = 2
    reason: ClassVar[str] = "near_duplicate_of_positive"
    jaccard: float = Field(default=0.8, gt=0, le=MAX_WORD_JACCARD)
    unit: Unit = "word"
    shingle_length: int = Field(default=5, ge=1, le=64)
    _kept: dict[str, CorpusWordSets] = PrivateAttr(default_factory=dict)

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where no positive is nearly the same."""
        out = np.ones(block.rows.shape, bool)
        queries, places = np.nonzero(block.alive)
        if not len(queries):
            return out
        bounds: dict[Unit, float] = {"word": MAX_WORD_JACCARD, self.unit: self.jaccard}
        for unit, bound in bounds.items():
            documents = self._documents(block, unit)
            for start in range(0, len(queries), _PAIRS):
                part = slice(start, start + _PAIRS)
                own = queries[part], places[part]
                out[own] &= ~_is_near(block, *own, documents, bound)
        return out

    def _documents(self, block: CandidateBlock, unit: Unit) -> CorpusWordSets:
        from mining.word_sets import CorpusWordSets

        documents = self._kept.get(unit)
        if documents is None or documents.corpus is not block.corpus:
            documents = CorpusWordSets(block.corpus, unit, self.shingle_length)
            self._kept[unit] = documents
        return documents


def _is_near(
    block: CandidateBlock,
    queries: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    documents: CorpusWordSets,
    bound: float,
) -> npt.NDArray[np.bool_]:
    """Return (P,) whether a candidate shares more than `bound` with a positive of its query."""
    from mining.word_sets import any_exceeds

    first, last = queries[0], queries[-1] + 1
    starts, positives = _joined(block.positive_rows[first:last])
    rows = np.concatenate([block.rows[queries, places], positives])
    numbers, sets = documents.of(rows)
    own, others = np.split(numbers, [len(rows) - len(positives)])
    near: npt.NDArray[np.bool_] = any_exceeds(
        own, sets, queries - first, starts, others, sets, bound
    )
    return near


def _joined(
    rows: list[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where each query's rows start in one array, and the array."""
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(own) for own in rows], out=starts[1:])
    return starts, np.concatenate(rows).astype(np.int64, copy=False)
