"""The compiled inner loops of mining: exact scores, 8-bit codes, and the scan of one tile.

Functions are compiled when first called, for the types they get, and kept beside this file or in
numba's cache folder; `compile_ahead` does it before. None holds the interpreter's
lock while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., object])

if TYPE_CHECKING:

    def compiled(function: F) -> F:
        """Return `function`: what the compiled one is to a type checker."""

    def compiled_sum(function: F) -> F:
        """Return `function`: what the compiled one is to a type checker."""
else:
    from numba import njit

    compiled = njit(cache=True, nogil=True)
    # A sum may be made in lanes. It is one in float64 of products that float64 holds exactly, and
    # is rounded to float32 after it; or whoever uses it allows for any order.
    compiled_sum = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Documents whose products are looked at together: a chunk without a hit costs one comparison each.
CHUNK = 64


@compiled_sum
def exact_score(one: Floats, other: Floats) -> np.float32:
    """Return the inner product of two (D,) float32 vectors, summed in float64, rounded once."""
    total = 0.0
    for place in range(one.shape[0]):
        total += np.float64(one[place]) * np.float64(other[place])
    return np.float32(total)


@compiled_sum
def rough_score(one: Floats, other: Floats) -> np.float32:
    """Return the inner product of two (D,) float32 vectors, summed in float32 in any order."""
    total = np.float32(0.0)
    for place in range(one.shape[0]):
        total += one[place] * other[place]
    return total


@compiled
def exact_pairs(
    queries: Floats, places: Rows, documents: Floats, numbers: Rows, out: Floats
) -> None:
    """Write `exact_score` of P pairs into `out`.

    Args:
        queries: (Q, D) float32.
        places: (P,) place in `queries` of each pair.
        documents: (R, D) float32.
        numbers: (P,) place in `documents` of each pair.
        out: (P,) float32.
    """
    for pair in range(places.shape[0]):
        out[pair] = exact_score(queries[places[pair]], documents[numbers[pair]])


@compiled
def largest_magnitude(vector: Floats) -> np.float32:
    """Return the largest absolute value of a (D,) vector; 0 if D is 0."""
    bits = vector.view(np.int32)
    largest = np.int32(0)
    for place in range(bits.shape[0]):
        # Without their sign bit, finite floats are ordered like integers.
        magnitude = bits[place] & np.int32(0x7FFFFFFF)
        largest = magnitude if magnitude > largest else largest
    one = np.empty(1, np.int32)
    one[0] = largest
    return one.view(np.float32)[0]


@compiled_sum
def round_row(vector: Floats, step: np.float32, codes: npt.NDArray[np.int8]) -> tuple[float, float]:
    """Write `vector / step` rounded into `codes`; return the squared error and squared length."""
    inverse = np.float32(1.0) / step
    error = 0.0
    length = 0.0
    for place in range(vector.shape[0]):
        code = np.rint(vector[place] * inverse)
        codes[place] = np.int8(code)
        lost = np.float64(vector[place]) - np.float64(step) * np.float64(code)
        error += lost * lost
        length += np.float64(vector[place]) * np.float64(vector[place])
    return error, length


@compiled
def quantise(
    vectors: Floats,
    codes: npt.NDArray[np.int8],
    step: Floats,
    lost: npt.NDArray[np.float64],
    length: npt.NDArray[np.float64],
) -> None:
    """Round every row to 8-bit codes: row r is nearly `codes[r] * step[r]`.

    Args:
        vectors: (N, D) float32, finite.
        codes: (N, D) int8, written; in [-127, 127].
        step: (N,) float32, written; 1 for a row of zeros.
        lost: (N,) written; length of what rounding lost of the row.
        length: (N,) written; length of the row.
    """
    for row in range(vectors.shape[0]):
        largest = largest_magnitude(vectors[row])
        step[row] = largest / np.float32(127.0) if largest > 0 else np.float32(1.0)
        error, square = round_row(vectors[row], step[row], codes[row])
        lost[row] = np.sqrt(error)
        length[row] = np.sqrt(square)


@compiled
def insert(
    scores: Floats, rows: Rows, orders: Rows, size: int, score: np.float32, row: int, order: int
) -> int:
    """Put a document into a list of at most k, by score descending, then order; return its size.

    Args:
        scores: (k,) float32.
        rows: (k,) int64.
        orders: (k,) int64; lower goes first between equal scores.
        size: Entries in use.
        score: Of the document.
        row: Of the document.
        order: Of the document.
    """
    k = scores.shape[0]
    if size == k:
        last = scores[k - 1]
        if score < last or (score == last and order > orders[k - 1]):
            return size
        place = k - 1
    else:
        place = size
        size += 1
    while place > 0 and (
        scores[place - 1] < score or (scores[place - 1] == score and orders[place - 1] > order)
    ):
        scores[place] = scores[place - 1]
        rows[place] = rows[place - 1]
        orders[place] = orders[place - 1]
        place -= 1
    scores[place] = score
    rows[place] = row
    orders[place] = order
    return size


@compiled
def scan_tile(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one pass over the tile
    tile: npt.NDArray[np.generic],
    query_step: Floats,
    document_step: Floats,
    slack: Floats,
    rough_slack: Floats,
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
    """Bring the best k of every query up to date with one tile of products.

    `tile[q, d] * query_step[q] * document_step[d]` is within `slack[q]` of the exact score. A
    document for which that decides nothing is scored exactly, so the result is exact.

    Args:
        tile: (Q, B) float32 or int32 products.
        query_step: (Q,) float32, positive.
        document_step: (B,) float32, positive.
        slack: (Q,) float32.
        rough_slack: (Q,) float32, how far `rough_score` may be from the exact score.
        queries: (Q, D) float32.
        documents: (B, D) float32.
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
    k = scores.shape[1]
    width = tile.shape[1]
    for q in range(tile.shape[0]):
        scale = np.float32(1.0) / query_step[q]
        high = (upper[q] + slack[q]) * scale
        rank_high = (rank_scores[q] + slack[q]) * scale
        rank_low = (rank_scores[q] - slack[q]) * scale
        cut = max(lower[q], scores[q, k - 1]) if sizes[q] == k else lower[q]
        # What may be above `upper` is looked at even if nothing below it is wanted.
        cut = min(cut, upper[q])
        low = (cut - slack[q]) * scale
        for start in range(0, width, CHUNK):
            products = tile[q, start : start + CHUNK]
            steps = document_step[start : start + CHUNK]
            lowest = min(low, rank_low)
            hits = np.int32(0)
            for d in range(products.shape[0]):
                value = np.float32(products[d]) * steps[d]
                hits += np.int32(1) if value >= lowest else np.int32(0)
            if hits == 0:
                continue
            over = np.int32(0)
            over_rank = np.int32(0)
            unclear = np.int32(0)
            for d in range(products.shape[0]):
                value = np.float32(products[d]) * steps[d]
                over += np.int32(1) if value > high else np.int32(0)
                over_rank += np.int32(1) if value > rank_high else np.int32(0)
                wanted = (value >= low) & (value <= high)
                near = (value >= rank_low) & (value <= rank_high)
                unclear += np.int32(1) if wanted | near else np.int32(0)
            above_upper[q] += over
            above_rank[q] += over_rank
            if unclear == 0:
                continue
            for d in range(products.shape[0]):
                value = np.float32(products[d]) * steps[d]
                near = (value >= rank_low) & (value <= rank_high)
                if not near and (value < low or value > high):
                    continue
                maybe_wanted = value <= high
                if slack[q] > rough_slack[q]:
                    # Most of what the screen leaves open, a float32 sum decides.
                    rough = rough_score(queries[q], documents[start + d])
                    if near and rough > rank_scores[q] + rough_slack[q]:
                        above_rank[q] += 1
                        near = False
                    near = near and rough >= rank_scores[q] - rough_slack[q]
                    if maybe_wanted and rough > upper[q] + rough_slack[q]:
                        above_upper[q] += 1
                        maybe_wanted = False
                    maybe_wanted = maybe_wanted and rough >= cut - rough_slack[q]
                    if not near and not maybe_wanted:
                        continue
                score = exact_score(queries[q], documents[start + d])
                if near and score > rank_scores[q]:
                    above_rank[q] += 1
                if not maybe_wanted:
                    continue
                if score > upper[q]:
                    above_upper[q] += 1
                    continue
                if score < cut or score < lower[q]:
                    continue
                sizes[q] = insert(
                    scores[q],
                    rows[q],
                    orders[q],
                    sizes[q],
                    score,
                    first + start + d,
                    order[start + d],
                )
                if sizes[q] == k and scores[q, k - 1] > cut:
                    cut = scores[q, k - 1]
                    low = (cut - slack[q]) * scale


@compiled
def mark_shared(
    codes: Rows, positive_codes: Rows, offsets: Rows, out: npt.NDArray[np.bool_]
) -> None:
    """Set `out` where a candidate has the code of one of its query's positives.

    Args:
        codes: (Q, K) of the candidates; negative codes equal nothing.
        positive_codes: (P,) of all positives, query by query.
        offsets: (Q + 1,) where each query's positives start.
        out: (Q, K) changed.
    """
    for q in range(codes.shape[0]):
        for place in range(offsets[q], offsets[q + 1]):
            code = positive_codes[place]
            if code < 0:
                continue
            for k in range(codes.shape[1]):
                out[q, k] |= codes[q, k] == code


@compiled
def settle(kept: npt.NDArray[np.bool_], alive: npt.NDArray[np.bool_], dropped: Rows) -> None:
    """Take a rule's verdict: where it does not keep what was alive, that dies and is counted.

    Args:
        kept: (Q, K) the rule's mask.
        alive: (Q, K) changed.
        dropped: (Q,) written.
    """
    for q in range(kept.shape[0]):
        count = 0
        for k in range(kept.shape[1]):
            dies = alive[q, k] and not kept[q, k]
            count += dies
            alive[q, k] = alive[q, k] and kept[q, k]
        dropped[q] = count


@compiled
def settle_bounds(
    scores: Floats, lower: Floats, upper: Floats, alive: npt.NDArray[np.bool_], dropped: Rows
) -> None:
    """Like `settle`, for scores that must be inside bounds; NaN is outside.

    Args:
        scores: (Q, K) float32.
        lower: (Q,) float32.
        upper: (Q,) float32.
        alive: (Q, K) changed.
        dropped: (Q,) written.
    """
    for q in range(scores.shape[0]):
        low, high = lower[q], upper[q]
        before, after = np.int32(0), np.int32(0)
        for k in range(scores.shape[1]):
            is_alive = alive[q, k]
            stays = is_alive & (scores[q, k] >= low) & (scores[q, k] <= high)
            before += np.int32(1) if is_alive else np.int32(0)
            after += np.int32(1) if stays else np.int32(0)
            alive[q, k] = stays
        dropped[q] = before - after


@compiled
def settle_shared(
    rows: Rows,
    codes: npt.NDArray[np.int32],
    positive_rows: Rows,
    offsets: Rows,
    alive: npt.NDArray[np.bool_],
    dropped: Rows,
) -> None:
    """Like `settle`, for documents that must not share a code with a positive.

    Args:
        rows: (Q, K) of the candidates.
        codes: (N,) of documents; negative codes equal nothing.
        positive_rows: (P,) of all positives, query by query.
        offsets: (Q + 1,) where each query's positives start.
        alive: (Q, K) changed.
        dropped: (Q,) written.
    """
    for q in range(rows.shape[0]):
        count = 0
        for k in range(rows.shape[1]):
            if not alive[q, k]:
                continue
            code = codes[rows[q, k]]
            if code < 0:
                continue
            for place in range(offsets[q], offsets[q + 1]):
                if codes[positive_rows[place]] == code:
                    alive[q, k] = False
                    count += 1
                    break
        dropped[q] = count


@compiled
def settle_rows(
    rows: Rows,
    positive_rows: Rows,
    offsets: Rows,
    alive: npt.NDArray[np.bool_],
    dropped: Rows,
) -> None:
    """Like `settle_shared`, for documents that must not be a positive themselves."""
    for q in range(rows.shape[0]):
        dropped[q] = 0
        for place in range(offsets[q], offsets[q + 1]):
            positive = positive_rows[place]
            count = np.int32(0)
            for k in range(rows.shape[1]):
                dies = alive[q, k] & (rows[q, k] == positive)
                count += np.int32(1) if dies else np.int32(0)
                alive[q, k] = alive[q, k] & (rows[q, k] != positive)
            dropped[q] += count


@compiled
def first_alive(alive: npt.NDArray[np.bool_], places: Rows, counts: Rows) -> None:
    """Write the places of the first survivors of every query.

    Args:
        alive: (Q, K).
        places: (Q, S) written; -1 is padding, at the end.
        counts: (Q,) written; survivors in all K, which may be more than S.
    """
    wanted = places.shape[1]
    for q in range(alive.shape[0]):
        found = 0
        for k in range(alive.shape[1]):
            if alive[q, k]:
                if found < wanted:
                    places[q, found] = k
                found += 1
        for place in range(min(found, wanted), wanted):
            places[q, place] = -1
        counts[q] = found


@compiled
def is_among(rows: Rows, others: Rows) -> npt.NDArray[np.bool_]:
    """Return (Q, K) where a row is among the (Q, J) other rows of its query; -1 is never."""
    out = np.zeros(rows.shape, np.bool_)
    for q in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            if rows[q, k] < 0:
                continue
            for j in range(others.shape[1]):
                if others[q, j] == rows[q, k]:
                    out[q, k] = True
                    break
    return out


def compile_ahead() -> None:
    """Compile what every search uses, so that the first one does not wait for it."""
    ones, codes = np.ones((1, 2), np.float32), np.ones((1, 2), np.int8)
    column, rows = np.ones(1, np.float32), np.zeros(1, np.int64)
    lists, places = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int64)
    exact_pairs(ones, rows, ones, rows, column)
    quantise(ones, codes, column, np.zeros(1), np.zeros(1))
    for kind in (np.int32, np.float32):
        tile, size = np.zeros((1, 1), kind), np.zeros(1, np.int64)
        bounds = (column, -column, column)
        counts = (size, size.copy(), size.copy())
        scan_tile(
            tile, column, column, column, column, ones, ones, 0, rows, *bounds,
            lists, places, places.copy(), *counts,
        )  # fmt: skip
    mask = np.ones((1, 1), bool)
    mark_shared(places, rows, np.array([0, 1]), mask)
    settle(mask, mask, rows)
    first_alive(mask, places, rows)
    is_among(places, places)
