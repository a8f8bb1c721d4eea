"""Which texts are nearly equal to one of many others, without comparing all pairs.

Two sets of words that share more than a given part of their union also share one of the rarest
words of each, so only pairs that do are compared.

Reference: Bayardo, Ma and Srikant 2007, Scaling up all pairs similarity search (prefix filtering).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

# Texts compared at a time.
_BLOCK_TEXTS = 65_536


def find_near(texts: Sequence[str], others: Sequence[str], jaccard: float) -> npt.NDArray[np.bool_]:
    """Return (N,) whether each text shares more than `jaccard` of its words with another's.

    Words are those of `ids.comparison_key`; a text without words is near nothing.

    Args:
        texts: N texts.
        others: M texts.
        jaccard: Of the words in either, in (0, 1].
    """
    out = np.zeros(len(texts), bool)
    if not others:
        return out
    for start in range(0, len(texts), _BLOCK_TEXTS):
        part = slice(start, start + _BLOCK_TEXTS)
        out[part] = _near_block(texts[part], others, jaccard)
    return out


def _near_block(
    texts: Sequence[str], others: Sequence[str], jaccard: float
) -> npt.NDArray[np.bool_]:
    from mining.word_sets import any_exceeds, word_sets

    out = np.zeros(len(texts), bool)
    sets = word_sets([*texts, *others], "word", 1)
    sizes = np.diff(sets.starts)
    rarest = _rarest(sets.hashes, np.repeat(np.arange(len(sizes)), sizes), sizes, jaccard)
    is_own = pl.col("set") < len(texts)
    pairs = (
        rarest.filter(is_own)
        .join(rarest.filter(~is_own).rename({"set": "other"}), on="hash")
        .select("set", "other")
        .unique()
        .sort("set", "other")
    )
    if not pairs.height:
        return out
    numbers, counts = np.unique(pairs["set"].to_numpy(), return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    others_of = pairs["other"].to_numpy().astype(np.int64)
    numbers = numbers.astype(np.int64)
    out[numbers] = any_exceeds(
        numbers, sets, np.arange(len(numbers)), starts, others_of, sets, jaccard
    )
    return out


def _rarest(
    hashes: npt.NDArray[np.uint64],
    owners: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    jaccard: float,
) -> pl.DataFrame:
    """Return `set` and `hash` of the words of which two near sets must share one."""
    # So many words may be missing from the other set, and one more cannot be.
    kept = sizes - np.ceil(jaccard * sizes).astype(np.int64) + 1
    return (
        pl.DataFrame({"set": owners, "hash": hashes, "kept": kept[owners]})
        .with_columns(frequency=pl.len().over("hash"))
        .sort("set", "frequency", "hash")
        .with_columns(place=pl.int_range(pl.len()).over("set"))
        .filter(pl.col("place") < pl.col("kept"))
        .select("set", "hash")
    )
