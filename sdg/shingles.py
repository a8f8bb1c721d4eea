"""Character n-grams of texts as 64-bit hashes, and the MinHash band keys made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rensa

Hashes = npt.NDArray[np.uint64]

NUM_PERMUTATIONS = 256
_MINIMUM_RECALL = 0.99
_MINHASH_SEED = 20_260_101
_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Shingles:
    """The n-grams of N texts.

    Attributes:
        hashes: All texts' n-gram hashes one after another, with repetitions.
        offsets: (N + 1,) uint64; text i owns `hashes[offsets[i]:offsets[i + 1]]`.
    """

    hashes: Hashes
    offsets: npt.NDArray[np.uint64]

    def as_set(self, row: int) -> Hashes:
        """Return text `row`'s distinct hashes in ascending order."""
        return np.unique(self.hashes[int(self.offsets[row]) : int(self.offsets[row + 1])])


def shingles_of(texts: Sequence[str], length: int) -> Shingles:
    """Return the character n-grams of every text.

    Args:
        texts: N texts that are not empty.
        length: Characters per n-gram; a shorter text is one n-gram as a whole.

    Returns:
        N rows of at least one hash each.
    """
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    points = _mix(np.frombuffer(joined, dtype=np.uint32).astype(np.uint64))
    if (sizes == 0).any() or not len(sizes):
        points = np.append(points, np.uint64(0))
    starts = np.cumsum(sizes) - sizes
    counts = np.maximum(sizes - length + 1, 1)
    ends = np.cumsum(counts)
    offsets = np.concatenate([[0], ends]).astype(np.uint64)
    rows = np.repeat(np.arange(len(sizes)), counts)
    within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)
    hashes = _window_hashes(points, length)[starts[rows] + within]
    for row in np.flatnonzero(sizes < length):
        own = points[starts[row] : starts[row] + sizes[row]]
        hashes[ends[row] - 1] = _window_hashes(own, max(len(own), 1))[0] if len(own) else 0
    return Shingles(_mix(hashes), offsets)


def band_keys(shingles: Shingles, jaccard: float, permutations: int = NUM_PERMUTATIONS) -> Hashes:
    """Return the keys under which texts with Jaccard >= `jaccard` meet with probability >= 0.99.

    Two texts are candidates if they have the same key in the same band (column).

    Args:
        shingles: Of N texts.
        jaccard: In (0, 1].
        permutations: Digests per text: fewer take less time and propose more pairs in vain.

    Returns:
        (N, B) uint64, deterministic; B depends on `jaccard` and `permutations` only.
    """
    rows_per_band = _rows_per_band(jaccard, permutations)
    num_bands = permutations // rows_per_band
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.hashes, shingles.offsets, permutations, _MINHASH_SEED
    )
    if len(shingles.offsets) == 1:
        return np.empty((0, num_bands), dtype=np.uint64)
    digests = np.array(matrix.to_rows(), dtype=np.uint64)
    bands = digests[:, : num_bands * rows_per_band].reshape(-1, num_bands, rows_per_band)
    keys = np.zeros(bands.shape[:2], dtype=np.uint64)
    for row in range(rows_per_band):
        keys = _mix(keys * _BASE + bands[:, :, row])
    return keys


def real_jaccard(left: Hashes, right: Hashes) -> float:
    """Return |left and right| / |left or right| of two sets of distinct hashes, in [0, 1]."""
    union = np.union1d(left, right)
    return (len(left) + len(right) - len(union)) / len(union) if len(union) else 1.0


def _rows_per_band(jaccard: float, permutations: int = NUM_PERMUTATIONS) -> int:
    """Return the most digests per band that still find a pair at `jaccard` with enough recall.

    A pair meets with probability 1 - (1 - j**rows)**bands; more rows mean fewer false candidates.
    """
    best = 1
    for rows in range(1, 33):
        missed = (1 - jaccard**rows) ** (permutations // rows)
        if 1 - missed >= _MINIMUM_RECALL:
            best = rows
    return best


def _window_hashes(points: Hashes, length: int) -> Hashes:
    """Return at each position the hash of the `length` characters from there on.

    Polynomial modulo 2**64, built by doubling: log2(length) passes. Values less than `length` from
    the end belong to shorter windows and must not be used.
    """
    done, covered = np.zeros_like(points), 0
    window, size = points, 1
    remaining = length
    while remaining:
        if remaining & 1:
            done = done * _power(size) + _shifted(window, covered)
            covered += size
        remaining >>= 1
        if remaining:
            window = window * _power(size) + _shifted(window, size)
            size *= 2
    return done


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(int(_BASE), exponent, 2**64))


def _shifted(values: Hashes, by: int) -> Hashes:
    shifted = np.zeros_like(values)
    if by < len(values):
        shifted[: len(values) - by] = values[by:]
    return shifted


def _mix(values: Hashes) -> Hashes:
    """Return a bijective scramble of 64-bit values (the finaliser of splitmix64)."""
    values = values + _BASE
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
