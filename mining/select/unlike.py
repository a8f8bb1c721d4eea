"""The greedy passes behind `diverse`, in compiled code; imported where they are used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.kernels import compiled, exact_score
from mining.word_sets import exceeds

Places = npt.NDArray[np.int64]


@compiled
def first_unlike(
    numbers: Places,
    vectors: npt.NDArray[np.float32],
    banned: npt.NDArray[np.bool_],
    max_similarity: np.float32,
    wanted: int,
) -> Places:
    """Return the first `wanted` steps of each query that are unlike all earlier ones taken.

    Args:
        numbers: (Q, S) numbers of vectors, most preferred first.
        vectors: (U, D) float32 unit rows.
        banned: (Q, S) True is never taken.
        max_similarity: Two vectors are unlike if their cosine is at most this; cosines are summed
            in float64 and rounded once.
        wanted: At least 1.

    Returns:
        (Q, wanted) steps in S, ascending; -1 is padding at the end.
    """
    out = np.full((len(numbers), wanted), -1, np.int64)
    for query in range(len(numbers)):
        taken = 0
        for step in range(numbers.shape[1]):
            if banned[query, step]:
                continue
            is_unlike = True
            for earlier in range(taken):
                other = numbers[query, out[query, earlier]]
                cosine = exact_score(vectors, numbers[query, step], vectors, other)
                if cosine > max_similarity:
                    is_unlike = False
                    break
            if is_unlike:
                out[query, taken] = step
                taken += 1
                if taken == wanted:
                    break
    return out


@compiled
def first_alike(
    steps: Places,
    numbers: Places,
    starts: Places,
    hashes: npt.NDArray[np.uint64],
    max_jaccard: float,
) -> Places:
    """Return the first step of each query whose words are those of an earlier one, -1 if none.

    Args:
        steps: (Q, n) steps in S, -1 is padding at the end.
        numbers: (Q, S) numbers of word sets; read at `steps` only.
        starts: See `WordSets`.
        hashes: See `WordSets`.
        max_jaccard: See `Diverse`; equal sets are alike even at 1.
    """
    out = np.full(len(steps), -1, np.int64)
    for query in range(len(steps)):
        for late in range(steps.shape[1]):
            if steps[query, late] < 0 or out[query] >= 0:
                break
            own = numbers[query, steps[query, late]]
            left = hashes[starts[own] : starts[own + 1]]
            for early in range(late):
                other = numbers[query, steps[query, early]]
                right = hashes[starts[other] : starts[other + 1]]
                if exceeds(left, right, max_jaccard) or np.array_equal(left, right):
                    out[query] = steps[query, late]
                    break
    return out
