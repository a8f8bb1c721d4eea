"""Short lists filled up with random documents that the rules allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mining.candidates import CandidateSearch, Judged
from mining.corpus import CorpusView
from mining.corpus_part import CorpusPart
from mining.filters import CodeRule, Filter, ScoreRule
from mining.filters.known_positive import KnownPositive
from mining.filters.rank_window import RankWindow
from mining.search import pair_scores
from mining.shortfall import Forbidden, PairScores, RandomNegatives, draw_random_negatives

Rows = npt.NDArray[np.int64]

# Drawing obeys these itself, or they say nothing about a document without a rank.
_NOT_ASKED: tuple[type[Filter], ...] = (KnownPositive, CodeRule, ScoreRule, RankWindow)
# A query most of whose draws the rules refuse stays short after this many rounds; own.
_MAX_ROUNDS = 64


def fill_at_random(
    search: CandidateSearch, judged: Judged, chosen: Rows, query_ids: Sequence[str], seed: int
) -> Rows:
    """Append random documents to what was judged; return (Q, n) places with them, by score.

    Args:
        search: What the queries were searched with.
        judged: Changed: columns of random documents are added, `len(search.extra) + 1` is their
            miner.
        chosen: (Q, n) places in `judged`, -1 where one is missing.
        query_ids: Q ids.
        seed: The run's seed; a query's documents depend on it, its id and the corpus.
    """
    drawn = _draw(search, judged, chosen, query_ids, seed)
    first = judged.rows.shape[1]
    judged.append(drawn.rows, drawn.scores, len(search.extra) + 1)
    # What is taken was looked at; what was drawn and refused is no candidate.
    judged.depth += (drawn.rows >= 0).sum(axis=1)
    places = np.where(drawn.rows < 0, -1, first + np.arange(drawn.rows.shape[1]))
    together = np.hstack([chosen, places])
    scores = np.take_along_axis(judged.scores, np.maximum(together, 0), axis=1)
    rows = np.take_along_axis(judged.rows, np.maximum(together, 0), axis=1)
    order = np.lexsort((search.corpus.id_order[rows], -scores, together < 0), axis=1)
    return np.take_along_axis(together, order, axis=1)[:, : chosen.shape[1]]


def _draw(
    search: CandidateSearch, judged: Judged, chosen: Rows, query_ids: Sequence[str], seed: int
) -> RandomNegatives:
    """Draw until every list is full, leaving out what a rule that reads documents refuses."""
    corpus, everyone = search.corpus, np.arange(len(chosen))
    codes = [rule.codes(corpus) for rule in search.rules if isinstance(rule, CodeRule)]
    known = search.known.of_queries(everyone)
    taken = np.take_along_axis(judged.rows, np.maximum(chosen, 0), axis=1)
    seen = np.where(chosen < 0, -1, taken)
    missing = (chosen < 0).sum(axis=1)
    kept: list[RandomNegatives] = []

    def scores_of(places: Rows, rows: Rows) -> npt.NDArray[np.float32]:
        return pair_scores(search.vectors, corpus, places, rows)

    # Drawn from what the query is searched in: a language's own documents may be few.
    parts = list(search.parts())
    for _ in range(_MAX_ROUNDS):
        forbidden = Forbidden(known, seen, codes, search.bounds.upper)
        drawn = _one_round(search, parts, missing, query_ids, forbidden, scores_of, seed)
        if not (drawn.rows >= 0).any():
            break
        passes = search.passes(drawn.rows, _NOT_ASKED)
        seen = np.hstack([seen, drawn.rows])
        rows = np.where(passes, drawn.rows, -1)
        kept.append(RandomNegatives(rows, drawn.scores, drawn.draws))
        missing = missing - passes.sum(axis=1)
    if not kept:
        empty = np.empty((len(chosen), 0))
        return RandomNegatives(empty.astype(np.int64), empty.astype(np.float32), missing)
    rows = np.hstack([one.rows for one in kept])
    scores = np.where(rows < 0, np.nan, np.hstack([one.scores for one in kept]))
    return RandomNegatives(rows, scores.astype(np.float32), kept[-1].draws)


def _one_round(
    search: CandidateSearch,
    parts: Sequence[tuple[CorpusView, Rows]],
    missing: Rows,
    query_ids: Sequence[str],
    forbidden: Forbidden,
    scores_of: PairScores,
    seed: int,
) -> RandomNegatives:
    """Return a document for each that is missing, part by part of the corpus."""
    shape = len(missing), int(missing.max(initial=0))
    rows, scores = np.full(shape, -1, np.int64), np.full(shape, np.nan, np.float32)
    draws = np.zeros(len(missing), np.int64)
    for part, numbers in parts:
        own = Forbidden(
            [forbidden.positive_rows[number] for number in numbers.tolist()],
            forbidden.chosen_rows[numbers],
            forbidden.codes,
            forbidden.upper[numbers],
            part.rows if isinstance(part, CorpusPart) else None,
        )

        def of_part(places: Rows, found: Rows, numbers: Rows = numbers) -> npt.NDArray[np.float32]:
            return scores_of(numbers[places], found)

        drawn = draw_random_negatives(
            missing[numbers],
            [query_ids[number] for number in numbers.tolist()],
            own,
            search.corpus.id_order,
            of_part,
            seed,
        )
        width = drawn.rows.shape[1]
        rows[numbers, :width], scores[numbers, :width] = drawn.rows, drawn.scores
        draws[numbers] = drawn.draws
    return RandomNegatives(rows, scores, draws)
