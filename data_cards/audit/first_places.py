"""Which of many keys are equal, and where each occurs first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

# (2, N) uint64: two hashes of each text with different seeds. That two of a billion different
# texts share both has a chance of 1 in 10^20.
Keys = npt.NDArray[np.uint64]


class FirstPlaces(NamedTuple):
    """Equal keys have equal codes, numbered by first occurrence.

    Attributes:
        codes: (N,) int32, 0 to U - 1.
        firsts: (U,) int64, ascending; the place where each code occurs first.
    """

    codes: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.int64]


def hash_texts(texts: pl.Series) -> Keys:
    """Return the keys of texts; those of null mean nothing."""
    return np.stack([texts.hash(seed=seed).to_numpy() for seed in (1, 2)])


def first_places(keys: Keys) -> FirstPlaces:
    """Return codes of (2, N) keys."""
    order = np.lexsort((keys[1], keys[0]))
    high, low = keys[0][order], keys[1][order]
    starts = np.ones(len(order), bool)
    starts[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    del high, low
    # The sort is stable, so the first of a run of equal keys is the one that occurs first.
    firsts = order[starts]
    by_place = np.argsort(firsts)
    number = np.empty(len(firsts), np.int32)
    number[by_place] = np.arange(len(firsts), dtype=np.int32)
    codes = np.empty(len(order), np.int32)
    codes[order] = number[np.cumsum(starts) - 1]
    return FirstPlaces(codes, firsts[by_place])
