"""Candidates for negatives: searched inside the bounds, judged by the rules, until enough are left.

The bounds are known before the search, so its k is little more than what is needed. Queries whose
candidates fall to the other rules are searched again four times as deep, up to the whole corpus: a
query is short only if the corpus has no more.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from mining.known import Known
from mining.proposals import Proposals
from mining.search import Found, Wanted, pair_scores

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
        rows: (Q, S) rows of the first S survivors by score, then id; -1 is padding.
        scores: (Q, S) float32; NaN is padding.
        ranks: (Q, S) among the documents that were searched, by whoever proposed it; -1 is padding.
        miners: (Q, S) int16: 0 is the search, i the i-th list of other proposals, from 1.
        dropped: (R, Q) by rule.
        depth: (Q,) documents looked at: dropped, or surviving.
        survivors: (Q,) candidates no rule dropped, also beyond S.
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
        for part, numbers in self._parts():
            self._until_filled(part, numbers, num_survivors, judged)
        return judged

    def _parts(self) -> list[tuple[CorpusView, Rows]]:
        """Return pairs: what is searched, and the numbers of the queries it is searched for."""
        everyone = np.arange(len(self.anchors))
        scopes = [rule.scope(self.corpus, self.languages) for rule in self.rules]
        asked = [scope for scope in scopes if scope is not None]
        if not asked:
            return [(self.corpus, everyone)]
        wanted = np.stack([scope.wanted for scope in asked], axis=1)
        kinds, kind_of = np.unique(wanted, axis=0, return_inverse=True)
        parts: list[tuple[CorpusView, Rows]] = []
        for number, kind in enumerate(kinds):
            inside = np.ones(len(self.corpus), bool)
            for scope, code in zip(asked, kind, strict=True):
                inside &= (scope.codes == code) == scope.same
            rows = np.flatnonzero(inside)
            numbers = everyone[kind_of.ravel() == number]
            parts.append((CorpusPart(self.corpus, rows), numbers))
        return parts

    def _until_filled(
        self, part: CorpusView, numbers: Rows, num_survivors: int, judged: Judged
    ) -> None:
        inside = part.rows if isinstance(part, CorpusPart) else None
        known_above = self.known.count_above(self.bounds.upper, inside)
        k = max(rule.search_depth(num_survivors) for rule in self.rules)
        k = max(1, min(k + _SPARE, len(part)))
        waiting = numbers
        while len(waiting):
            found = self._search(part, waiting, k)
            step = max(1, _MAX_CANDIDATES // k)
            short = []
            for start in range(0, len(waiting), step):
                piece = found.part(slice(start, start + step))
                places = waiting[start : start + step]
                short.append(self._judge(part, places, piece, known_above[places], judged))
            if k >= len(part):
                return
            is_short = np.concatenate(short) & (judged.survivors[waiting] < num_survivors)
            waiting = waiting[is_short]
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
        judged: Judged,
    ) -> npt.NDArray[np.bool_]:
        """Apply the rules and note what is left; return (Q,) whether a deeper search could help."""
        block, miners = self._block(part, numbers, found)
        num_candidates = block.alive.sum(axis=1)
        # What is above the bound was never a candidate, but it was looked at: by the search.
        judged.dropped[:, numbers] = 0
        owner = self.bounds.owner[numbers]
        of_known = known_above
        has_bound = np.flatnonzero(owner >= 0)
        others = (found.above_upper - of_known)[has_bound]
        judged.dropped[owner[has_bound], numbers[has_bound]] = others
        may_be_more = found.rows[:, -1] >= 0
        for number, rule in self._in_order():
            if isinstance(rule, KnownPositive):
                judged.dropped[number, numbers] = of_known
            if isinstance(rule, ScoreRule) and not self.extra:
                continue
            spared = [i for i, e in enumerate(self.extra, start=1) if rule.name in e.exempt]
            dropped = np.zeros(len(numbers), np.int64)
            if spared and not isinstance(rule, KnownPositive):
                kept = np.ascontiguousarray(rule.keep(block) | np.isin(miners, spared))
                kernels.settle(kept, block.alive, dropped)
            else:
                rule.apply(block, dropped)
            judged.dropped[number, numbers] += dropped
            may_be_more &= ~rule.is_exhausted(block)
        judged.depth[numbers] = found.above_upper + num_candidates
        judged.docs_above[numbers] = found.above_rank
        self._note(numbers, block, miners, judged)
        return may_be_more

    def _in_order(self) -> list[tuple[int, Filter]]:
        """Return the rules with their numbers: known positives first, then bounds, then others."""

        def stage(numbered: tuple[int, Filter]) -> int:
            rule = numbered[1]
            return 0 if isinstance(rule, KnownPositive) else 1 if isinstance(rule, ScoreRule) else 2

        return sorted(enumerate(self.rules), key=stage)

    def _block(
        self, part: CorpusView, numbers: Rows, found: Found
    ) -> tuple[CandidateBlock, npt.NDArray[np.int16]]:
        rows = found.rows
        if isinstance(part, CorpusPart):
            rows = np.where(rows < 0, -1, part.rows[rows])
        ranks = found.above_upper[:, None] + np.arange(rows.shape[1])
        ranks = np.where(rows < 0, -1, ranks)
        scores, miners = found.scores, np.zeros(rows.shape, np.int16)
        if self.extra:
            rows, scores, ranks, miners = self._with_extra(numbers, rows, scores, ranks)
        block = CandidateBlock(
            rows=rows,
            scores=scores,
            ranks=ranks,
            alive=rows >= 0,
            anchors=self.anchors[numbers],
            positive_rows=self.known.of_queries(numbers),
            query_texts=[self.texts[number] for number in numbers.tolist()],
            query_languages=[self.languages[number] for number in numbers.tolist()],
            corpus=self.corpus,
        )
        return block, miners

    def _with_extra(
        self, numbers: Rows, rows: Rows, scores: Floats, ranks: Rows
    ) -> tuple[Rows, Floats, Rows, npt.NDArray[np.int16]]:
        """Return the candidates with those of other miners, by score, then id, padding last."""
        miners = [np.zeros(rows.shape, np.int16)]
        all_rows, all_scores, all_ranks = [rows.copy()], [scores], [ranks]
        for number, proposed in enumerate(self.extra, start=1):
            own = proposed.rows[self.places[numbers]]
            # A document that was found already keeps the miner that found it first.
            # Unless other rules hold for it as a candidate of this miner.
            for earlier in all_rows:
                if proposed.exempt:
                    earlier[kernels.is_among(earlier, own)] = -1
                else:
                    own[kernels.is_among(own, earlier)] = -1
            flat = np.flatnonzero(own.ravel() >= 0)
            exact = np.full(own.size, np.nan, np.float32)
            places = np.repeat(numbers, own.shape[1])[flat]
            exact[flat] = pair_scores(self.vectors, self.corpus, places, own.ravel()[flat])
            all_rows.append(own)
            all_scores.append(exact.reshape(own.shape))
            all_ranks.append(np.where(own < 0, -1, np.arange(own.shape[1])))
            miners.append(np.full(own.shape, number, np.int16))
        rows, scores = np.hstack(all_rows), np.hstack(all_scores)
        order = np.lexsort((self.corpus.id_order[rows], -scores, rows < 0), axis=1)
        return (
            np.take_along_axis(rows, order, axis=1),
            np.take_along_axis(scores, order, axis=1),
            np.take_along_axis(np.hstack(all_ranks), order, axis=1),
            np.take_along_axis(np.hstack(miners), order, axis=1),
        )

    def _note(
        self,
        numbers: Rows,
        block: CandidateBlock,
        miners: npt.NDArray[np.int16],
        judged: Judged,
    ) -> None:
        places = np.empty((len(numbers), judged.rows.shape[1]), np.int64)
        survivors = np.empty(len(numbers), np.int64)
        kernels.first_alive(block.alive, places, survivors)
        judged.survivors[numbers] = survivors
        is_padding = places < 0
        for column, values, padding in (
            (judged.rows, block.rows, -1),
            (judged.scores, block.scores, np.nan),
            (judged.ranks, block.ranks, -1),
            (judged.miners, miners, 0),
        ):
            taken = np.take_along_axis(values, np.maximum(places, 0), axis=1)
            taken[is_padding] = padding
            column[numbers] = taken
