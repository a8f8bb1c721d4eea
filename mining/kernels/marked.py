"""The second look at a tile: exact scores of the pairs that a screen has marked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.kernels.compiler import compiled
from mining.kernels.scan import insert
from mining.kernels.scores import exact_pairs
from mining.kernels.vnni import GROUP, PANEL

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


@compiled
def count_bits(word: np.uint64) -> np.int64:
    """Return how many bits are set."""
    # Sums of neighbouring bits, then of pairs, of fours; a product adds up the bytes.
    pairs = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    low = np.uint64(0x3333333333333333)
    fours = (pairs & low) + ((pairs >> np.uint64(2)) & low)
    eights = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((eights * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def count_sure(words: Words, panel: int, above_upper: Rows, above_rank: Rows) -> None:
    """Count the documents of a panel that need no exact score for it; arrays as in `take_marked`.

    Args:
        words: (4, P, at least Q).
        panel: Below P.
        above_upper: (Q,) changed.
        above_rank: (Q,) changed.
    """
    for q in range(above_upper.shape[0]):
        above_upper[q] += count_bits(words[1, panel, q])
        above_rank[q] += count_bits(words[3, panel, q])


@compiled
def list_open(words: Words, panel: int, places: Rows, numbers: Rows) -> int:
    """Write the pairs of a panel that need an exact score; return how many.

    Args:
        words: (1 or 4, P, at least Q), as in `take_marked`.
        panel: Below P.
        places: (at least PANEL x Q,) written; query of each pair, ascending.
        numbers: (at least PANEL x Q,) written; document of each pair.
    """
    count = 0
    for start in range(0, words.shape[2], GROUP):
        marked = np.uint64(0)
        for q in range(start, start + GROUP):
            marked |= words[0, panel, q]
            if words.shape[0] > 1:
                marked |= words[2, panel, q]
        if marked == np.uint64(0):
            # Nearly always.
            continue
        for q in range(start, start + GROUP):
            left = words[0, panel, q]
            if words.shape[0] > 1:
                left = (left & ~words[1, panel, q]) | (words[2, panel, q] & ~words[3, panel, q])
            while left != np.uint64(0):
                # The lowest bit, and how many are below it.
                bit = left & (~left + np.uint64(1))
                left ^= bit
                places[count] = q
                numbers[count] = panel * PANEL + count_bits(bit - np.uint64(1))
                count += 1
    return count


@compiled
def write_bounds(  # noqa: PLR0913, PLR0917 - one array each
    query_step: Floats,
    slack: Floats,
    upper: Floats,
    lower: Floats,
    rank_scores: Floats,
    scores: Floats,
    sizes: Rows,
    bounds: Floats,
) -> None:
    """Write what `product * document step` is compared with; arrays as in `scan_tile`.

    Args:
        query_step: (Q,) float32, positive.
        slack: (Q,) float32.
        upper: (Q,) highest score that is wanted.
        lower: (Q,) lowest score that is wanted.
        rank_scores: (Q,) scores above which documents are counted.
        scores: (Q, k) the best so far.
        sizes: (Q,) how many of them are in use.
        bounds: (1 or 4, at least Q) written: maybe wanted from here; surely above `upper` over
            this; maybe above `rank_scores` from here; surely above it over this.
    """
    k = scores.shape[1]
    for q in range(query_step.shape[0]):
        scale = np.float32(1.0) / query_step[q]
        # What may be above `upper` is looked at even if nothing below it is wanted.
        cut = min(max(lower[q], scores[q, k - 1]) if sizes[q] == k else lower[q], upper[q])
        bounds[0, q] = (cut - slack[q]) * scale
        if bounds.shape[0] > 1:
            bounds[1, q] = (upper[q] + slack[q]) * scale
            bounds[2, q] = (rank_scores[q] - slack[q]) * scale
            bounds[3, q] = (rank_scores[q] + slack[q]) * scale


@compiled
def take_marked(  # noqa: PLR0913, PLR0917 - one pass over the tile
    words: Words,
    queries: Floats,
    documents: Floats,
    first: int,
    order: Rows,
    upper: Floats,
    lower: Floats,
    rank_scores: Floats,
    scores: Floats,
    rows: Rows,
    orders: Rows,
    sizes: Rows,
    above_upper: Rows,
    above_rank: Rows,
) -> None:
    """Bring the best k of every query up to date with one tile of marks.

    Args:
        words: (1 or 4, P, at least Q) marks of P panels by the bounds that `write_bounds` writes;
            with one bound only, `upper` and `rank_scores` are infinite.
        queries: (Q, D) float32.
        documents: (B, D) float32, B at most P x PANEL.
        first: Row of the first document in the corpus.
        order: (B,) place of each document in the order of ids.
        upper: (Q,) highest score that is wanted.
        lower: (Q,) lowest score that is wanted.
        rank_scores: (Q,) scores above which documents are counted.
        scores: (Q, k) float32, changed: the best so far, the first `sizes[q]` in use.
        rows: (Q, k) changed.
        orders: (Q, k) changed.
        sizes: (Q,) changed.
        above_upper: (Q,) changed; documents that score more than `upper`.
        above_rank: (Q,) changed; documents that score more than `rank_scores`.
    """
    places = np.empty(PANEL * queries.shape[0], np.int64)
    numbers = np.empty(PANEL * queries.shape[0], np.int64)
    found = np.empty(PANEL * queries.shape[0], np.float32)
    for panel in range(words.shape[1]):
        if words.shape[0] > 1:
            count_sure(words, panel, above_upper, above_rank)
        count = list_open(words, panel, places, numbers)
        # All scores first: the processor fetches the next vectors while it sums.
        exact_pairs(queries, places[:count], documents, numbers[:count], found)
        for pair in range(count):
            q, d, score = places[pair], numbers[pair], found[pair]
            if words.shape[0] > 1:
                bit = np.uint64(1) << np.uint64(d - panel * PANEL)
                is_near = (words[2, panel, q] & ~words[3, panel, q] & bit) != np.uint64(0)
                if is_near and score > rank_scores[q]:
                    above_rank[q] += 1
                if (words[1, panel, q] & bit) != np.uint64(0):
                    # Counted already.
                    continue
                if score > upper[q]:
                    above_upper[q] += 1
                    continue
            if score >= lower[q]:
                insert(scores, rows, orders, sizes, q, score, first + d, order[d])
