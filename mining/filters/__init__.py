"""Rules that say which candidates may become negatives, one per file.

Three kinds:

- `ScoreRule`: a bound on the score, relative to the positive or fixed. It is applied inside the
  search, so a query's candidates are the best below its bound and not what a window left over.
- `CodeRule`: drops documents that share something with a positive: the entity, the group, the id.
- `Filter`: everything else, by a mask over candidates: texts, languages, ranks.

Known positives are dropped first, then the bounds hold, then the other rules run in the order of
the configuration; the first that drops a candidate owns it, so the counts add up. Order them from
cheap to dear: rules that read texts see only what the others left.

To add one: a file here that subclasses one of the three and registers in `FILTERS`. Nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mining import kernels
from mining.corpus import CorpusView
from mining.scope import Asked, Scope
from sdg.part import Plugin
from sdg.registry import Registry

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CandidateBlock:
    """Candidates of Q queries, K each.

    Attributes:
        rows: (Q, K) rows of the corpus, -1 is padding.
        scores: (Q, K) float32 cosines, NaN is padding.
        ranks: (Q, K) int64, 0-based among all documents, positives included.
        alive: (Q, K) True where no earlier rule dropped the candidate and it is no padding; brought
            up to date between rules.
        anchors: (Q,) float32 score of the positive that bounds are relative to.
        positive_rows: Q arrays of corpus rows, at least one each.
        query_texts: Q texts.
        query_languages: Q tags.
        corpus: What rows refer to.
    """

    rows: Rows
    scores: Floats
    ranks: Rows
    alive: Mask
    anchors: Floats
    positive_rows: list[Rows]
    query_texts: list[str]
    query_languages: list[str]
    corpus: CorpusView

    @cached_property
    def positive_offsets(self) -> Rows:
        """(Q + 1,) where each query's positives start in `positive_flat`."""
        return np.cumsum([0, *map(len, self.positive_rows)], dtype=np.int64)

    @cached_property
    def positive_flat(self) -> Rows:
        """(P,) the rows of all positives, query by query."""
        empty = np.empty(0, np.int64)
        return np.concatenate([empty, *self.positive_rows])

    def is_positive(self) -> Mask:
        """Return (Q, K) True where the candidate is one of its query's positives."""
        out = np.zeros(self.rows.shape, bool)
        rows = np.ascontiguousarray(self.rows)
        kernels.mark_shared(rows, self.positive_flat, self.positive_offsets, out)
        return out

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
        own_codes = np.ascontiguousarray(own, np.int64)
        positive_codes = codes[self.positive_flat].astype(np.int64)
        kernels.mark_shared(own_codes, positive_codes, self.positive_offsets, out)
        return out


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

    def apply(self, block: CandidateBlock, dropped: Rows) -> None:
        """Let die in `block.alive` what the rule does not keep.

        Args:
            block: `alive` is changed.
            dropped: (Q,) int64, written: how many died of each query.
        """
        kernels.settle(np.ascontiguousarray(self.keep(block)), block.alive, dropped)

    def search_depth(self, num_survivors: int) -> int:
        """Return how many candidates to look at first for that many survivors."""
        return num_survivors

    def is_exhausted(self, block: CandidateBlock) -> Mask:
        """Return (Q,) True where no document further down can pass; saves searching deeper.

        The default is False everywhere.
        """
        return np.zeros(len(block.rows), bool)

    def scopes(self, corpus: CorpusView, asked: Asked) -> list[Scope]:
        """Return which documents are searched for each query: those in all scopes, [] for all.

        The rule judges what is found all the same, so a scope may let through more than the rule.
        """
        del corpus, asked
        return []


class ScoreRule(Filter):
    """A bound on the score; applied inside the search."""

    @abstractmethod
    def bounds(self, anchors: Floats, query_languages: Sequence[str]) -> tuple[Floats, Floats]:
        """Return (Q,) lowest and (Q,) highest score that may stay, both inclusive, float32.

        Args:
            anchors: (Q,) float32 score of the positive that bounds are relative to.
            query_languages: Q tags.

        Returns:
            -infinity and infinity where there is no bound.
        """

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where the score is inside the bounds."""
        lower, upper = self.bounds(block.anchors, block.query_languages)
        return (block.scores >= lower[:, None]) & (block.scores <= upper[:, None])

    def apply(self, block: CandidateBlock, dropped: Rows) -> None:
        """Do it in one pass; see `Filter.apply`."""
        lower, upper = self.bounds(block.anchors, block.query_languages)
        kernels.settle_bounds(block.scores, lower, upper, block.alive, dropped)


class CodeRule(Filter):
    """Drops documents that share a code with a positive."""

    @abstractmethod
    def codes(self, corpus: CorpusView) -> npt.NDArray[Any]:
        """Return (N,) integer codes; negative codes equal nothing."""

    def keep(self, block: CandidateBlock) -> Mask:
        """Return where no positive has the candidate's code."""
        return ~block.shares_with_positive(self.codes(block.corpus))

    def apply(self, block: CandidateBlock, dropped: Rows) -> None:
        """Do it in one pass; see `Filter.apply`."""
        positives = block.positive_flat, block.positive_offsets
        codes = self.codes(block.corpus)
        kernels.settle_shared(block.rows, codes, *positives, block.alive, dropped)


def unbounded(num_queries: int) -> Floats:
    """Return (Q,) infinity."""
    return np.full(num_queries, np.inf, np.float32)


FILTERS: Registry[Filter] = Registry("rule", "mining.filters")
