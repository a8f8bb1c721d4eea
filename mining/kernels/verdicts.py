"""What rules decide about candidates, one pass over (Q, K) arrays each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.kernels.compiler import compiled

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


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
def places_among(rows: Rows, others: Rows) -> Rows:
    """Return (Q, K) first place of a row among the (Q, J) other rows of its query; -1: none."""
    out = np.full(rows.shape, -1, np.int64)
    for q in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            if rows[q, k] < 0:
                continue
            for j in range(others.shape[1]):
                if others[q, j] == rows[q, k]:
                    out[q, k] = j
                    break
    return out
