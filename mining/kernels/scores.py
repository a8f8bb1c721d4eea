"""Inner products of pairs, exact."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.kernels.compiler import compiled, compiled_sum

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@compiled_sum
def exact_score(queries: Floats, q: int, documents: Floats, d: int) -> np.float32:
    """Return the inner product of rows of two float32 matrices: summed in float64, rounded once.

    Rows are named by number: a view of one costs as much as a part of the sum.
    """
    total = 0.0
    for place in range(queries.shape[1]):
        total += np.float64(queries[q, place]) * np.float64(documents[d, place])
    return np.float32(total)


@compiled
def exact_block(queries: Floats, documents: Floats, out: Floats) -> None:
    """Write `exact_score` of all pairs into (Q, B) `out`."""
    for q in range(queries.shape[0]):
        for d in range(documents.shape[0]):
            out[q, d] = exact_score(queries, q, documents, d)


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
        out[pair] = exact_score(queries, places[pair], documents, numbers[pair])
