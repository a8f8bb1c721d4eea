"""Rules that say which candidates may become negatives, one per file.

Rules run in the order of the configuration; the first that drops a candidate owns it, so the counts
add up. Order them from cheap to dear: rules that read texts see only what the others left.

To add one: a file here that subclasses `Filter` and registers in `FILTERS`. Nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mining.corpus import CorpusView
from sdg.part import Plugin
from sdg.registry import Registry

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CandidateBlock:
    """Candidates of Q queries, K each.

    Attributes:
        rows: (Q, K) rows of the corpus, -1 is padding.
        scores: (Q, K) float32 cosines, NaN is padding.
        ranks: (Q, K) int64, 0-based among all documents, positives included.
        alive: (Q, K) True where no earlier rule dropped the candidate and it is no padding.
        anchors: (Q,) float32 score of the positive that bounds are relative to.
        positive_rows: Q arrays of corpus rows, at least one each.
        query_texts: Q texts.
        query_languages: Q tags.
        corpus: What rows refer to.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.int64]
    alive: Mask
    anchors: npt.NDArray[np.float32]
    positive_rows: list[npt.NDArray[np.int64]]
    query_texts: list[str]
    query_languages: list[str]
    corpus: CorpusView

    def shares_with_positive(self, codes: npt.NDArray[Any]) -> Mask:
        """Return (Q, K) True where a candidate has the code of one of its query's positives.

        Args:
            codes: (N,) codes of documents; negative codes equal nothing.
        """
        # Padding reads the last document here and is masked below.
        return self.equals_positive(codes[self.rows], codes) & (self.rows >= 0)

    def equals_positive(self, own: npt.NDArray[Any], codes: npt.NDArray[Any]) -> Mask:
        """Return (Q, K) True where a code equals that of one of its query's positives.

        Args:
            own: (Q, K) codes of the candidates; negative codes equal nothing.
            codes: (N,) codes of documents.
        """
        out = np.zeros(self.rows.shape, bool)
        for place in range(max(map(len, self.positive_rows), default=0)):
            has = [q for q, positives in enumerate(self.positive_rows) if len(positives) > place]
            positives = np.array([self.positive_rows[q][place] for q in has])
            out[has] |= own[has] == codes[positives][:, None]
        return out & (own >= 0)


class Filter(Plugin):
    """A rule on candidates.

    Attributes:
        reason: Under which its drops are counted; snake_case, states what is true of them.
    """

    reason: ClassVar[str]

    @abstractmethod
    def keep(self, block: CandidateBlock) -> Mask:
        """Return (Q, K) True where the candidate may stay.

        Only places where `block.alive` is True are read. A row depends on its own query only.
        """

    def is_exhausted(self, block: CandidateBlock) -> Mask:
        """Return (Q,) True where no document further down can pass; saves searching deeper.

        The default is False everywhere.
        """
        return np.zeros(len(block.rows), bool)


FILTERS: Registry[Filter] = Registry("rule", "mining.filters")
