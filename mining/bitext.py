"""Translation pairs out of two sets of sentences, by margin over the neighbourhood.

A cosine alone prefers sentences that are near everything. Divided by how near a sentence's k
nearest are on average, from both sides, it says how much a pair stands out.

Reference: Artetxe, Schwenk 2019, arXiv 1811.01136; LASER's mining, from where k, the ratio and the
one-to-one retrieval "max" come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from sdg.errors import DataError
from sdg.part import Part

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Vectors of either side that are multiplied together.
BLOCK_ROWS = 4096
# Of them, multiplied at a time: 64 MiB of float64 for a block of 16,384.
_QUERY_ROWS = 512


class BitextConfig(Part):
    """How pairs are found.

    Attributes:
        neighbours: k; 4 is LASER's.
        margin: "ratio" (LASER's default) or "distance": the cosine over, or less, the mean of both
            neighbourhoods.
        retrieval: "forward": the best target of each source. "backward": the best source of each
            target. "intersect": pairs that are both. "max": all of them, best first, each sentence
            once.
        threshold: Lowest margin. 1.04 is WikiMatrix's for the ratio; a distance has no published
            one and must be given.
    """

    neighbours: int = Field(default=4, ge=1)
    margin: Literal["ratio", "distance"] = "ratio"
    retrieval: Literal["max", "intersect", "forward", "backward"] = "max"
    threshold: float | None = None

    @model_validator(mode="after")
    def _has_a_threshold(self) -> BitextConfig:
        if self.margin == "distance" and self.threshold is None:
            raise ValueError(
                "`bitext.threshold` must be given for margin: distance, but is none instead. Start "
                "at 0.0 and look at the pairs near the threshold."
            )
        return self

    def lowest(self) -> float:
        """Return the lowest margin of a pair."""
        return 1.04 if self.threshold is None else self.threshold


class VectorBlocks(Protocol):
    """Vectors that need not fit in memory; a `CorpusView` is one."""

    def __len__(self) -> int:
        """Return N."""

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield (first row, (B, D) float32 unit rows), in order."""


class ArrayBlocks:
    """An array, memory-mapped or not, as `VectorBlocks`."""

    def __init__(self, array: Floats, block_rows: int = BLOCK_ROWS) -> None:
        self._array = array
        self._block_rows = block_rows

    def __len__(self) -> int:
        """Return N."""
        return len(self._array)

    def blocks(self) -> Iterator[tuple[int, Floats]]:
        """Yield (first row, (B, D) rows)."""
        for start in range(0, len(self._array), self._block_rows):
            yield start, np.asarray(self._array[start : start + self._block_rows], np.float32)


class Neighbours(NamedTuple):
    """The k nearest on the other side.

    Attributes:
        rows: (N, k) rows, by score descending, then row ascending; -1 is padding.
        scores: (N, k) float32 cosines; NaN is padding.
    """

    rows: Rows
    scores: Floats


# (queries (B, D), other side, k) -> exact neighbours.
Nearest = Callable[[Floats, VectorBlocks, int], Neighbours]


class Pairs(NamedTuple):
    """P pairs of sentences.

    Attributes:
        source_rows: (P,) int64.
        target_rows: (P,) int64.
        margins: (P,) float64, -inf where undefined.
        scores: (P,) float32 cosines.
    """

    source_rows: Rows
    target_rows: Rows
    margins: npt.NDArray[np.float64]
    scores: Floats

    def at(self, places: Rows) -> Pairs:
        """Return the pairs at some places."""
        return Pairs(
            self.source_rows[places],
            self.target_rows[places],
            self.margins[places],
            self.scores[places],
        )

    def turned(self) -> Pairs:
        """Return the pairs with source and target exchanged."""
        return Pairs(self.target_rows, self.source_rows, self.margins, self.scores)

    def in_order(self) -> Pairs:
        """Return the pairs by margin descending, then source row, then target row."""
        return self.at(np.lexsort((self.target_rows, self.source_rows, -self.margins)))


class Bitext(NamedTuple):
    """What mining found.

    Attributes:
        pairs: In order.
        below_threshold: In order: pairs that the retrieval gives and the threshold drops.
    """

    pairs: Pairs
    below_threshold: Pairs


def nearest_rows(queries: Floats, side: VectorBlocks, k: int) -> Neighbours:
    """Return the k nearest rows of every query, exactly, in numpy.

    Cosines are summed in float64 and rounded once.

    Args:
        queries: (Q, D) float32.
        side: N rows; where N is smaller than k the tail is padding.
        k: At least 1.
    """
    rows = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    wide = queries.astype(np.float64)
    for first, block in side.blocks():
        columns = block.astype(np.float64).T
        for start in range(0, len(queries), _QUERY_ROWS):
            part = slice(start, start + _QUERY_ROWS)
            found = _best_columns((wide[part] @ columns).astype(np.float32), k)
            both_rows = np.concatenate([rows[part], found.rows + first], axis=1)
            both_scores = np.concatenate([scores[part], found.scores], axis=1)
            order = np.lexsort((both_rows, -both_scores), axis=1)[:, :k]
            rows[part] = np.take_along_axis(both_rows, order, axis=1)
            scores[part] = np.take_along_axis(both_scores, order, axis=1)
    return Neighbours(rows, np.where(rows < 0, np.float32(np.nan), scores))


def mine_bitext(
    source: VectorBlocks,
    target: VectorBlocks,
    config: BitextConfig,
    nearest: Nearest = nearest_rows,
) -> Bitext:
    """Return the pairs of sentences that stand out as translations of each other.

    Memory grows with k entries per sentence, never with the vectors.

    Args:
        source: N rows.
        target: M rows.
        config: Margin and retrieval.
        nearest: Searches one side; any exact search gives the same pairs.
    """
    forward = _all_nearest(source, target, config.neighbours, nearest)
    backward = _all_nearest(target, source, config.neighbours, nearest)
    means = _means(forward.scores), _means(backward.scores)
    pairs = _retrieve(
        _best(forward, means[0], means[1], config.margin),
        _best(backward, means[1], means[0], config.margin).turned(),
        config.retrieval,
    )
    is_kept = pairs.margins >= config.lowest()
    return Bitext(pairs.at(np.flatnonzero(is_kept)), pairs.at(np.flatnonzero(~is_kept)))


def _best_columns(products: Floats, k: int) -> Neighbours:
    """Return the k best columns; between equal ones the first. `products` is used up."""
    count = min(k, products.shape[1])
    rows = np.empty((len(products), count), np.int64)
    scores = np.empty((len(products), count), np.float32)
    each = np.arange(len(products))
    for place in range(count):
        rows[:, place] = products.argmax(axis=1)
        scores[:, place] = products[each, rows[:, place]]
        products[each, rows[:, place]] = -np.inf
    return Neighbours(rows, scores)


def _all_nearest(one: VectorBlocks, other: VectorBlocks, k: int, nearest: Nearest) -> Neighbours:
    rows, scores = np.full((len(one), k), -1, np.int64), np.full((len(one), k), np.nan, np.float32)
    for first, block in one.blocks():
        if not np.isfinite(block).all():
            bad = first + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise DataError(
                f"Every vector must be finite, but row {bad} of {len(one)} is not. Embed that "
                "sentence again, or leave it out."
            )
        part = slice(first, first + len(block))
        rows[part], scores[part] = nearest(block, other, k)
    return Neighbours(rows, scores)


def _means(scores: Floats) -> npt.NDArray[np.float64]:
    """Return (N,) the mean over the neighbours there are; 0 if there are none."""
    counts = np.maximum((~np.isnan(scores)).sum(axis=1), 1)
    return np.asarray(np.nansum(scores.astype(np.float64), axis=1) / counts)


def _best(
    found: Neighbours,
    own: npt.NDArray[np.float64],
    others: npt.NDArray[np.float64],
    margin: Literal["ratio", "distance"],
) -> Pairs:
    """Return each row's neighbour with the highest margin; rows without any are left out."""
    if not len(own) or not len(others):
        nothing = np.empty(0, np.int64)
        return Pairs(nothing, nothing, np.empty(0), np.empty(0, np.float32))
    around = (own[:, None] + others[found.rows]) / 2
    scores = found.scores.astype(np.float64)
    if margin == "distance":
        margins = scores - around
    else:
        # Where the neighbours point away on average nothing stands out: a ratio has no meaning.
        margins = np.divide(scores, around, out=np.full_like(scores, -np.inf), where=around > 0)
    margins[found.rows < 0] = -np.inf
    places = margins.argmax(axis=1)
    each = np.arange(len(own))
    best = Pairs(each, found.rows[each, places], margins[each, places], found.scores[each, places])
    return best.at(np.flatnonzero(best.target_rows >= 0))


def _retrieve(forward: Pairs, backward: Pairs, retrieval: str) -> Pairs:
    if retrieval == "forward":
        return forward.in_order()
    if retrieval == "backward":
        return backward.in_order()
    if retrieval == "intersect":
        back = np.full(int(backward.target_rows.max(initial=-1)) + 1, -1, np.int64)
        back[backward.target_rows] = backward.source_rows
        return forward.at(
            np.flatnonzero(back[forward.target_rows] == forward.source_rows)
        ).in_order()
    both = Pairs(
        np.concatenate([forward.source_rows, backward.source_rows]),
        np.concatenate([forward.target_rows, backward.target_rows]),
        np.concatenate([forward.margins, backward.margins]),
        np.concatenate([forward.scores, backward.scores]),
    ).in_order()
    return both.at(_one_to_one(both.source_rows, both.target_rows))


def _one_to_one(source: Rows, target: Rows) -> Rows:
    """Return places of pairs taken greedily in order, each source and target once.

    A pair that is the first left of both its sentences is taken in any case, so all such pairs are
    taken together, and what they rule out goes.
    """
    left, taken = np.arange(len(source)), []
    while len(left):
        first_source, first_target = np.zeros(len(left), bool), np.zeros(len(left), bool)
        first_source[np.unique(source[left], return_index=True)[1]] = True
        first_target[np.unique(target[left], return_index=True)[1]] = True
        now = left[first_source & first_target]
        taken.append(now)
        is_over = np.isin(source[left], source[now]) | np.isin(target[left], target[now])
        left = left[~is_over]
    return np.sort(np.concatenate([np.empty(0, np.int64), *taken]))
