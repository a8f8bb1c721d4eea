"""Candidates for negatives: searched inside the bounds, judged by the rules, until enough are left.

The bounds are known before the search, so its k is little more than what is needed. Queries whose
candidates fall to the other rules are searched again four times as deep, up to the whole corpus: a
query has too few survivors only if the corpus has no more. What other miners propose comes on top,
and spares nobody a deeper search: one more miner makes no row easier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mining import kernels
from mining.corpus import CorpusView
from mining.corpus_part import CorpusPart
from mining.embed import EmbeddedQueries
from mining.filters import CandidateBlock, Filter, Floats, Rows, ScoreRule, unbounded
from mining.filters.known_positive import KnownPositive
from mining.indexes import Index
from mining.join import Candidates, join_proposals
from mining.known import Known
from mining.proposals import Proposals
from mining.scope import Asked, parts_of
from mining.search import Found, Wanted

_DEEPER = 4
# Candidates looked at beyond what is needed: some fall to the rules that look at documents.
_SPARE = 12
# Candidates of all queries that are judged together: about 150 MB of arrays.
_MAX_CANDIDATES = 2**22


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of all score rules together.

    Attributes:
        lower: (Q,) lowest score that may stay.
        upper: (Q,) highest score that may stay.
        owner: (Q,) number of the rule with the lowest upper bound, -1 if there is none; equal ones:
            the first.
    """

    lower: Floats
    upper: Floats
    owner: Rows

    @classmethod
    def of(cls, rules: Sequence[Filter], anchors: Floats, languages: Sequence[str]) -> Bounds:
        """Return the bounds that all score rules among `rules` set."""
        lower, upper = -unbounded(len(anchors)), unbounded(len(anchors))
        owner = np.full(len(anchors), -1, np.int64)
        for number, rule in enumerate(rules):
            if isinstance(rule, ScoreRule):
                low, high = rule.bounds(anchors, languages)
                owner[high < upper] = number
                lower, upper = np.maximum(lower, low), np.minimum(upper, high)
        return cls(lower, upper, owner)


class Judged:
    """What became of the candidates of Q queries; filled in as they are searched.

    Attributes:
        rows: (Q, S) rows of survivors by score, then id: as many of the search as were asked for,
            and all of other proposals; -1 is padding.
        scores: (Q, S) float32; NaN is padding.
        ranks: (Q, S) among the documents that were searched, by whoever proposed it; -1 is padding.
        miners: (Q, S) int16: 0 is the search, i the i-th list of other proposals, from 1.
        dropped: (R, Q) by rule.
        depth: (Q,) documents looked at: dropped, or surviving.
        survivors: (Q,) candidates no rule dropped, also those that are not among `rows`.
        searched: (Q,) of them, those that the search found.
        docs_above: (Q,) documents that score more than the anchor.
    """

    def __init__(self, num_queries: int, num_survivors: int, num_rules: int) -> None:
        shape = (num_queries, num_survivors)
        self.rows = np.full(shape, -1, np.int64)
        self.scores = np.full(shape, np.nan, np.float32)
        self.ranks = np.full(shape, -1, np.int64)
        self.miners = np.zeros(shape, np.int16)
        self.dropped = np.zeros((num_rules, num_queries), np.int64)
        self.depth = np.zeros(num_queries, np.int64)
        self.survivors = np.zeros(num_queries, np.int64)
        self.searched = np.zeros(num_queries, np.int64)
        self.docs_above = np.zeros(num_queries, np.int64)

    def append(self, rows: Rows, scores: Floats, miner: int) -> None:
        """Add (Q, n) columns of documents without a rank."""
        self.rows = np.hstack([self.rows, rows])
        self.scores = np.hstack([self.scores, scores])
        self.ranks = np.hstack([self.ranks, np.full(rows.shape, -1, np.int64)])
        self.miners = np.hstack([self.miners, np.full(rows.shape, miner, np.int16)])


class CandidateSearch:
    """Finds and judges the candidates of the queries of one shard."""

    def __init__(
        self,
        queries: EmbeddedQueries,
        known: Known,
        anchors: Floats,
        corpus: CorpusView,
        index: Index,
        rules: Sequence[Filter],
        extra: Sequence[Proposals] = (),
    ) -> None:
        self.vectors = queries.vectors[known.places]
        self.texts = [queries.texts[place] for place in known.places.tolist()]
        self.languages = [queries.languages[place] for place in known.places.tolist()]
        self.known = known
        self.anchors = anchors
        self.corpus = corpus
        self.index = index
        self.rules = rules
        self.bounds = Bounds.of(rules, anchors, self.languages)
        self.places = known.places
        self.extra = extra

    def run(self, num_survivors: int) -> Judged:
        """Return the first survivors of every query, as many if the corpus has them."""
        width = num_survivors + sum(e.rows.shape[1] for e in self.extra)
        judged = Judged(len(self.anchors), width, len(self.rules))
        for part, numbers in self.parts():
            self._until_filled(part, numbers, num_survivors, judged)
        return judged

    def parts(self) -> Iterator[tuple[CorpusView, Rows]]:
        """Yield pairs: what is searched, and the numbers of the queries it is searched for."""
        asked = Asked(self.languages, self.known.all_offsets, self.known.all_rows)
        scopes = [scope for rule in self.rules for scope in rule.scopes(self.corpus, asked)]
        if not scopes:
            yield self.corpus, np.arange(len(self.anchors))
            return
        for rows, numbers in parts_of(scopes):
            if rows is None:
                yield self.corpus, numbers
            else:
                yield CorpusPart(self.corpus, rows), numbers

    def _until_filled(
        self, part: CorpusView, numbers: Rows, num_survivors: int, judged: Judged
    ) -> None:
        inside = part.rows if isinstance(part, CorpusPart) else None
        known_above = self.known.count_above(self.bounds.upper, inside)
        k = max(rule.search_depth(num_survivors) for rule in self.rules)
        k = max(1, min(k + _SPARE, len(part)))
        waiting = numbers
        while len(waiting):
            is_short = []
            step = max(1, _MAX_CANDIDATES // k)
            for start in range(0, len(waiting), step):
                asked = waiting[start : start + step]
                found = self._search(part, asked, k)
                above = known_above[asked]
                is_short.append(self._judge(part, asked, found, above, num_survivors, judged))
            if k >= len(part):
                return
            still = np.concatenate(is_short) & (judged.searched[waiting] < num_survivors)
            waiting = waiting[still]
            k = min(k * _DEEPER, len(part))

    def _search(self, part: CorpusView, numbers: Rows, k: int) -> Found:
        if not len(part):
            return Found.nothing(len(numbers), k)
        wanted = Wanted(
            k, self.bounds.upper[numbers], self.bounds.lower[numbers], self.anchors[numbers]
        )
        return self.index.search(self.vectors[numbers], part, wanted)

    def _judge(
        self,
        part: CorpusView,
        numbers: Rows,
        found: Found,
        known_above: Rows,
        num_survivors: int,
        judged: Judged,
    ) -> npt.NDArray[np.bool_]:
        """Apply the rules and note what is left; return (Q,) whether a deeper search could help."""
        rows = found.rows
        if isinstance(part, CorpusPart) and len(part):
            rows = np.where(rows < 0, -1, part.rows[rows])
        searched = Candidates.searched(rows, found.scores, found.above_upper)
        candidates, above = searched, found.above_upper
        if self.extra:
            candidates, uncounted = join_proposals(
                searched,
                self.extra,
                self.places[numbers],
                self.vectors[numbers],
                self.corpus,
                self.bounds.upper[numbers],
            )
            # They were above the bound, and are candidates all the same.
            above = np.maximum(above - uncounted, 0)
        may_be_more = found.rows[:, -1] >= 0
        searched_only = self._block(numbers, searched)
        for rule in self.rules:
            may_be_more &= ~rule.is_exhausted(searched_only)
        block = self._block(numbers, candidates)
        judged.depth[numbers] = above + block.alive.sum(axis=1)
        judged.docs_above[numbers] = found.above_rank
        # An approximate index may not have seen all that is known.
        self._count_above(numbers, above, np.minimum(known_above, above), judged)
        self._apply(numbers, block, candidates.miners, judged)
        self._note(numbers, block, candidates, num_survivors, judged)
        return may_be_more

    def _count_above(self, numbers: Rows, above: Rows, of_known: Rows, judged: Judged) -> None:
        """Count what is above the bound: never a candidate, but looked at, by the search."""
        judged.dropped[:, numbers] = 0
        owner = self.bounds.owner[numbers]
        bound = owner >= 0
        judged.dropped[owner[bound], numbers[bound]] = (above - of_known)[bound]
        for number, rule in enumerate(self.rules):
            if isinstance(rule, KnownPositive):
                judged.dropped[number, numbers] = of_known

    def _apply(
        self, numbers: Rows, block: CandidateBlock, miners: npt.NDArray[np.int16], judged: Judged
    ) -> None:
        for number, rule in self._in_order():
            if isinstance(rule, ScoreRule) and not self.extra:
                # The search kept to its bounds.
                continue
            spared = [i for i, e in enumerate(self.extra, start=1) if rule.name in e.exempt]
            dropped = np.zeros(len(numbers), np.int64)
            if spared and not isinstance(rule, KnownPositive):
                kept = np.ascontiguousarray(rule.keep(block) | np.isin(miners, spared))
                kernels.settle(kept, block.alive, dropped)
            else:
                rule.apply(block, dropped)
            judged.dropped[number, numbers] += dropped

    def _in_order(self) -> list[tuple[int, Filter]]:
        """Return the rules with their numbers: known positives first, then bounds, then others."""

        def stage(numbered: tuple[int, Filter]) -> int:
            rule = numbered[1]
            return 0 if isinstance(rule, KnownPositive) else 1 if isinstance(rule, ScoreRule) else 2

        return sorted(enumerate(self.rules), key=stage)

    def _block(self, numbers: Rows, candidates: Candidates) -> CandidateBlock:
        return CandidateBlock(
            rows=candidates.rows,
            scores=candidates.scores,
            ranks=candidates.ranks,
            alive=candidates.rows >= 0,
            anchors=self.anchors[numbers],
            positive_rows=self.known.of_queries(numbers),
            query_texts=[self.texts[number] for number in numbers.tolist()],
            query_languages=[self.languages[number] for number in numbers.tolist()],
            corpus=self.corpus,
        )

    def passes(self, rows: Rows, skipped: tuple[type[Filter], ...]) -> npt.NDArray[np.bool_]:
        """Return (Q, K) True where all rules but the `skipped` kinds let documents through.

        Args:
            rows: (Q, K) rows for every query, -1 is padding: never True.
            skipped: Kinds of rules that are not asked.
        """
        everyone = np.arange(len(self.anchors))
        nothing = np.full(rows.shape, np.nan, np.float32)
        none = np.zeros(len(everyone), np.int64)
        block = self._block(everyone, Candidates.searched(rows, nothing, none))
        dropped = np.zeros(len(everyone), np.int64)
        for rule in self.rules:
            if not isinstance(rule, skipped):
                rule.apply(block, dropped)
        return block.alive

    def _note(
        self,
        numbers: Rows,
        block: CandidateBlock,
        candidates: Candidates,
        num_survivors: int,
        judged: Judged,
    ) -> None:
        noted, ranks, miners = block.alive, block.ranks, candidates.miners
        judged.survivors[numbers] = noted.sum(axis=1)
        judged.searched[numbers] = judged.survivors[numbers]
        if self.extra:
            # The search's own would push out all that score lower: whatever another one found.
            searched = noted & (miners == 0)
            judged.searched[numbers] = searched.sum(axis=1)
            spare = searched & (np.cumsum(searched, axis=1) > num_survivors)
            # How far the search looked says nothing of who found what it has to spare.
            ranks = np.where(spare, candidates.other_ranks, ranks)
            miners = np.where(spare, candidates.others, miners)
            noted = noted & ~(spare & (miners == 0))
        places = np.empty((len(numbers), judged.rows.shape[1]), np.int64)
        kernels.first_alive(noted, places, np.empty(len(numbers), np.int64))
        is_padding = places < 0
        for column, values, padding in (
            (judged.rows, block.rows, -1),
            (judged.scores, block.scores, np.nan),
            (judged.ranks, ranks, -1),
            (judged.miners, miners, 0),
        ):
            taken = np.take_along_axis(values, np.maximum(places, 0), axis=1)
            taken[is_padding] = padding
            column[numbers] = taken
