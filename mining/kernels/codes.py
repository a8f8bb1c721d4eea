"""Vectors rounded to one byte a number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.kernels.compiler import compiled, compiled_sum

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


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
        step: (N,) float32, written; 1 for a row of zeros, or nearly.
        lost: (N,) written; length of what rounding lost of the row.
        length: (N,) written; length of the row.
    """
    for row in range(vectors.shape[0]):
        largest = largest_magnitude(vectors[row])
        # So small that a step is no normal number: nothing is kept of the row, and that is said.
        is_tiny = largest < np.float32(1e-30)
        step[row] = np.float32(1.0) if is_tiny else largest / np.float32(127.0)
        error, square = round_row(vectors[row], step[row], codes[row])
        lost[row] = np.sqrt(error)
        length[row] = np.sqrt(square)
