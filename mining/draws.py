"""Random numbers that depend on a seed, a name and a position, and on nothing else.

A generator that is asked in turn would make a query's draw depend on the queries before it; here
the number at a position is computed from the position, for all queries at once.

Reference: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators (SplitMix64).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sdg.ids import seed_for

Words = npt.NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def seeds_of(seed: int, purpose: str, names: Sequence[str]) -> Words:
    """Return one seed per name, (Q,) uint64, by `ids.seed_for(seed, purpose, name)`."""
    return np.array([seed_for(seed, purpose, name) for name in names], np.uint64)


def words_at(seeds: Words, positions: npt.NDArray[np.integer]) -> Words:
    """Return the 64 random bits of each seed at each position; shapes are broadcast."""
    with np.errstate(over="ignore"):
        mixed = seeds + (np.asarray(positions, np.uint64) + np.uint64(1)) * _STEP
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


def uniforms(seeds: Words, count: int) -> npt.NDArray[np.float64]:
    """Return (Q, count) numbers strictly between 0 and 1: the first `count` of each seed."""
    words = words_at(seeds[:, None], np.arange(count)[None, :])
    # 53 bits, moved half a step up so that 0 is never drawn.
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
