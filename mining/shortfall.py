"""What becomes of a query with fewer negatives than asked for.

`drop` rejects it (Arctic), `keep` keeps the short list (NeMo), `random_fill` adds random documents
of the corpus (KaLM, FlagEmbedding) and rejects it if not enough of those it tries are allowed.
Random negatives are easy ones, so they are always told apart: their source is `random`, and how
many there are is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from mining.draws import Words, seeds_of, words_at
from sdg.errors import ContractError

Policy = Literal["drop", "keep", "random_fill"]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
# (P,) places of queries and (P,) rows of documents -> (P,) exact scores.
PairScores = Callable[[Rows, Rows], Floats]

SOURCE = "random"
# Documents tried per query before it stays short; own. Documents that are refused are rare.
MAX_DRAWS = 10_000
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Forbidden:
    """What a random negative must not be.

    Attributes:
        positive_rows: Per query, rows of its positives and of the document it was written for.
        chosen_rows: (Q, n) rows of the negatives it has, -1 is padding.
        codes: (N,) codes of documents, one array per rule on codes (entity, group, parent): a
            document that shares a code with a positive is refused; negative codes equal nothing.
        upper: (Q,) highest score allowed; infinity where there is no bound.
        among: (M,) rows outside of which everything is refused; None: nothing is.
    """

    positive_rows: Sequence[Rows]
    chosen_rows: Rows
    codes: Sequence[npt.NDArray[np.integer]]
    upper: Floats
    among: Rows | None = None


class RandomNegatives(NamedTuple):
    """Documents that fill up short lists.

    Attributes:
        rows: (Q, n) rows of the corpus, -1 is padding at the end.
        scores: (Q, n) float32 exact scores, descending, then by id; NaN is padding.
        draws: (Q,) documents tried.
    """

    rows: Rows
    scores: Floats
    draws: Rows


def draw_random_negatives(
    missing: Rows,
    query_ids: Sequence[str],
    forbidden: Forbidden,
    id_order: Rows,
    pair_scores: PairScores,
    seed: int,
    max_draws: int = MAX_DRAWS,
) -> RandomNegatives:
    """Return random documents for the queries that miss negatives.

    Each query goes through a random order of the whole corpus, its own, and takes the first
    documents that are not forbidden. It depends on the query, the seed and the documents it is
    drawn from only.

    Args:
        missing: (Q,) how many each query misses; 0 and less: none.
        query_ids: Q ids.
        forbidden: What is refused.
        id_order: (N,) place of each row in the ascending order of ids.
        pair_scores: Exact scores.
        seed: The run's seed.
        max_draws: Documents tried per query. A query for which that is not enough stays short.

    Raises:
        ContractError: If arrays differ in length.
    """
    if not len(missing) == len(query_ids) == len(forbidden.upper) == len(forbidden.positive_rows):
        raise ContractError(
            f"Each query must have one entry everywhere, but there are {len(missing)} counts, "
            f"{len(query_ids)} ids, {len(forbidden.upper)} bounds and "
            f"{len(forbidden.positive_rows)} lists of positives. Pass the same queries."
        )
    lists = _Lists.empty(np.maximum(missing, 0))
    seeds = seeds_of(seed, "random_fill", query_ids)
    among = forbidden.among
    size = len(id_order) if among is None else len(among)
    tries = min(max_draws, size)
    first, step = 0, 2 * max(1, lists.rows.shape[1])
    waiting = lists.waiting()
    while first < tries and len(waiting):
        last = min(first + step, tries)
        drawn = shuffled_at(seeds[waiting], np.arange(first, last), size)
        if among is not None:
            drawn = among[drawn]
        lists.add(waiting, drawn, *_judge(waiting, drawn, forbidden, pair_scores), first)
        waiting = lists.waiting()
        first, step = last, 2 * step
    lists.draws[waiting] = tries
    if not size:
        return RandomNegatives(lists.rows, lists.scores, lists.draws)
    order = np.lexsort((id_order[lists.rows], -lists.scores, lists.rows < 0), axis=1)
    return RandomNegatives(
        np.take_along_axis(lists.rows, order, axis=1),
        np.take_along_axis(lists.scores, order, axis=1),
        lists.draws,
    )


def shuffled_at(seeds: Words, positions: Rows, size: int) -> Rows:
    """Return what stands at some positions of each seed's own random order of 0 ... size - 1.

    A Feistel network over the next power of four; what falls outside is sent through again.

    Args:
        seeds: (Q,) uint64.
        positions: (W,) below `size`.
        size: At least 1.

    Returns:
        (Q, W) int64; a row never repeats a number.
    """
    half = np.uint64(max(1, (int(size - 1).bit_length() + 1) // 2))
    out = np.broadcast_to(positions.astype(np.uint64), (len(seeds), len(positions))).copy()
    mask = (np.uint64(1) << half) - np.uint64(1)
    todo = np.ones(out.shape, bool)
    while todo.any():
        keys = np.broadcast_to(seeds[:, None], out.shape)[todo]
        left, right = out[todo] >> half, out[todo] & mask
        for number in range(_ROUNDS):
            mixed = words_at(keys, right * np.uint64(_ROUNDS) + np.uint64(number)) & mask
            left, right = right, left ^ mixed
        out[todo] = (left << half) | right
        todo = out >= np.uint64(size)
    return out.astype(np.int64)


class _Lists(NamedTuple):
    """The lists while they fill: (Q, n) rows and scores, (Q,) the rest."""

    wanted: Rows
    rows: Rows
    scores: Floats
    filled: Rows
    draws: Rows

    @classmethod
    def empty(cls, wanted: Rows) -> _Lists:
        shape = len(wanted), int(wanted.max(initial=0))
        rows, scores = np.full(shape, -1, np.int64), np.full(shape, np.nan, np.float32)
        return cls(wanted, rows, scores, np.zeros_like(wanted), np.zeros_like(wanted))

    def waiting(self) -> Rows:
        """Return the queries that are not full."""
        return np.flatnonzero(self.filled < self.wanted)

    def add(
        self,
        queries: Rows,
        drawn: Rows,
        allowed: npt.NDArray[np.bool_],
        scores: Floats,
        first: int,
    ) -> None:
        """Take the first allowed ones of what was drawn from position `first` on."""
        number = np.cumsum(allowed, axis=1)
        open_slots = (self.wanted - self.filled)[queries]
        place, taken = np.nonzero(allowed & (number <= open_slots[:, None]))
        slot = self.filled[queries[place]] + number[place, taken] - 1
        self.rows[queries[place], slot] = drawn[place, taken]
        self.scores[queries[place], slot] = scores[place, taken]
        # Ascending, so the last one that a query took stays.
        self.draws[queries[place]] = first + taken + 1
        self.filled[queries] += np.minimum(number[:, -1], open_slots)


def _judge(
    queries: Rows, drawn: Rows, forbidden: Forbidden, pair_scores: PairScores
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return which of the drawn documents are allowed, and the scores of those looked at."""
    chosen = forbidden.chosen_rows[queries]
    refused = (drawn[:, :, None] == chosen[:, None, :]).any(axis=2)
    own = [forbidden.positive_rows[query] for query in queries.tolist()]
    for place in range(max(map(len, own))):
        has = np.array([len(rows) > place for rows in own])
        positives = np.array([rows[place] if len(rows) > place else 0 for rows in own])
        same = drawn == positives[:, None]
        for codes in forbidden.codes:
            same |= (codes[drawn] == codes[positives][:, None]) & (codes[drawn] >= 0)
        refused |= same & has[:, None]
    scores = np.full(drawn.shape, np.nan, np.float32)
    at, number = np.nonzero(~refused)
    scores[at, number] = pair_scores(queries[at], drawn[at, number])
    return ~refused & (scores <= forbidden.upper[queries][:, None]), scores
