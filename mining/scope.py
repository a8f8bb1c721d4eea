"""Which part of the corpus is searched for a query, where a rule allows a known part only.

A rule that lets through a known part of the corpus is a smaller corpus: searching it finds what is
asked, where looking through a list of the nearest may find nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]

EVERYTHING = -1


@dataclass(frozen=True)
class Asked:
    """What is known of Q queries before anything is searched.

    Attributes:
        languages: Q tags.
        positive_offsets: (Q + 1,) where each query's positives start in `positive_flat`.
        positive_flat: (P,) rows of all positives, query by query; at least one each.
    """

    languages: Sequence[str]
    positive_offsets: Rows
    positive_flat: Rows

    def positive_codes(self, codes: Codes) -> list[tuple[int, ...]]:
        """Return for each query the distinct codes of its positives, ascending; negative ones not.

        Args:
            codes: (N,) codes of documents.
        """
        num_queries = len(self.positive_offsets) - 1
        owner = np.repeat(np.arange(num_queries), np.diff(self.positive_offsets))
        own = codes[self.positive_flat].astype(np.int64)
        num_codes = int(own.max(initial=0)) + 1
        pairs = np.unique((owner * num_codes + own)[own >= 0])
        owner, own = np.divmod(pairs, num_codes)
        ends = np.searchsorted(owner, np.arange(1, num_queries))
        return [tuple(part.tolist()) for part in np.split(own, ends)]


@dataclass(frozen=True)
class Scope:
    """The part of the corpus that one rule lets each query search.

    Attributes:
        codes: (N,) int32 codes of documents.
        sets: Distinct sets of codes.
        wanted: (Q,) int64 which of `sets` a query has; `EVERYTHING` where it is not restricted.
        same: Whether documents with one of these codes are searched, or all others.
    """

    codes: Codes
    sets: Sequence[tuple[int, ...]]
    wanted: Rows
    same: bool

    @classmethod
    def of(cls, codes: Codes, own: Iterable[tuple[int, ...] | None], *, same: bool) -> Scope:
        """Return the scope of queries by their sets of codes.

        Args:
            codes: (N,) codes of documents.
            own: A set for each of Q queries; None where it is not restricted.
            same: See the class.
        """
        number_of: dict[tuple[int, ...], int] = {}
        wanted = [
            EVERYTHING if one is None else number_of.setdefault(one, len(number_of)) for one in own
        ]
        return cls(codes, list(number_of), np.array(wanted, np.int64), same)

    def narrowed(self, rows: Rows | None, number: int) -> Rows | None:
        """Return those of some rows that are inside; ascending, None stands for all documents.

        Args:
            rows: Ascending rows; None for all documents.
            number: Of the set in `sets`, or `EVERYTHING`.
        """
        if number == EVERYTHING:
            return rows
        wanted = self.sets[number]
        if rows is None and self.same:
            return np.sort(np.concatenate([np.empty(0, np.int64), *map(self._rows_of, wanted)]))
        codes = self.codes if rows is None else self.codes[rows]
        places = np.flatnonzero(np.isin(codes, wanted) == self.same)
        return places if rows is None else rows[places]

    @cached_property
    def _by_code(self) -> tuple[Rows, Codes]:
        """Rows by code and row, and their codes: a set then costs what it holds, not N."""
        order = np.argsort(self.codes, kind="stable")
        return order, self.codes[order]

    def _rows_of(self, code: int) -> Rows:
        order, codes = self._by_code
        start, end = np.searchsorted(codes, [code, code + 1])
        return order[start:end]


def parts_of(scopes: Sequence[Scope]) -> Iterator[tuple[Rows | None, Rows]]:
    """Yield pairs: ascending rows to search, None for all; the ascending queries that search them.

    Every query is in one pair.

    Args:
        scopes: Of all rules, at least one, for the same Q queries: all of them hold.
    """
    # Those that take few documents first: the others then look at these only.
    ordered = sorted(scopes, key=lambda scope: not scope.same)
    wanted = np.stack([scope.wanted for scope in ordered], axis=1)
    kinds, kind_of, counts = np.unique(wanted, axis=0, return_inverse=True, return_counts=True)
    by_kind = np.argsort(kind_of.ravel(), kind="stable")
    queries = np.split(by_kind, np.cumsum(counts)[:-1])
    for kind, own in zip(kinds.tolist(), queries, strict=True):
        rows: Rows | None = None
        for scope, number in zip(ordered, kind, strict=True):
            rows = scope.narrowed(rows, number)
        yield rows, own
