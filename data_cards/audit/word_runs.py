"""Runs of words (n-grams) of many short texts: how many differ, and how alike texts are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from sdg.words import count_words

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_LONGEST = 4
# What a precision of 0 counts as (method 1 of Chen and Cherry 2014).
_EPSILON = 0.1


def distinct_share(words: pl.Series, length: int) -> float:
    """Return different runs of `length` words / all such runs, in [0, 1]; 0 if there are none.

    Args:
        words: (N,) lists of words.
        length: Words per run, at least 1.
    """
    numbers, starts = _numbered(words)
    _, runs = _runs(numbers, starts, length)
    return len(np.unique(runs)) / len(runs) if len(runs) else 0.0


def self_bleu(words: pl.Series) -> float:
    """Return the mean BLEU-4 of each text against all others, in [0, 1], higher is more alike.

    Counts are clipped by the most that any single other text has; a precision of 0 counts as 0.1
    of a match; texts shorter than four words have as many precisions as they have words; the
    brevity penalty takes the other text with the nearest length, the shorter of two.

    Args:
        words: (N,) lists of words; empty ones are left out.

    Returns:
        The mean over texts; 0 if there are fewer than two.

    Reference: Papineni et al. 2002, BLEU; Zhu et al. 2018, Texygen, arXiv 1802.01886.
    """
    words = words.filter(words.list.len() > 0)
    if len(words) < 2:
        return 0.0
    numbers, starts = _numbered(words)
    sizes = np.diff(starts)
    logs = np.zeros(len(words))
    for length in range(1, _LONGEST + 1):
        owners, runs = _runs(numbers, starts, length)
        matched = _clipped(owners, runs, len(words))
        total = np.maximum(sizes - length + 1, 1)
        precision = np.log(np.where(matched > 0, matched, _EPSILON) / total)
        logs += np.where(sizes >= length, precision, 0.0)
    scores = np.exp(logs / np.minimum(sizes, _LONGEST)) * _brevity_penalty(sizes)
    return float(scores.mean())


def _numbered(words: pl.Series) -> tuple[Counts, Counts]:
    """Return every word as a number, and where each of the N texts starts, (N + 1,)."""
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(count_words(words))])
    flat = words.filter(words.list.len() > 0).explode()
    return np.unique(flat.to_numpy().astype(str), return_inverse=True)[1].astype(np.int64), starts


def _runs(numbers: Counts, starts: Counts, length: int) -> tuple[Counts, Counts]:
    """Return the owner of each run of `length` words, and a number that equal runs share."""
    sizes = np.maximum(np.diff(starts) - length + 1, 0)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first = starts[owners] + within
    runs = np.zeros(len(owners), np.int64)
    for offset in range(length):
        joined = runs * (numbers.max(initial=0) + 1) + numbers[first + offset]
        # Renumbered each time, so that no product overflows.
        runs = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    return owners, runs


def _clipped(owners: Counts, runs: Counts, texts: int) -> Counts:
    """Return (N,) the runs of each text that another text has too, as often as it has them."""
    pairs = np.column_stack([runs, owners])
    distinct, counts = np.unique(pairs, axis=0, return_counts=True)
    run, owner = distinct[:, 0], distinct[:, 1]
    size = int(runs.max(initial=-1)) + 1
    order = np.lexsort((-counts, run))
    firsts = order[np.searchsorted(run[order], np.arange(size))]
    most = counts[firsts]
    second = np.zeros(size, np.int64)
    others = np.setdiff1d(np.arange(len(run)), firsts)
    np.maximum.at(second, run[others], counts[others])
    is_most = np.zeros(len(run), bool)
    is_most[firsts] = True
    allowed = np.where(is_most, second[run], most[run])
    matched = np.minimum(counts, allowed)
    return np.bincount(owner, matched, texts).astype(np.int64)


def _brevity_penalty(sizes: Counts) -> Floats:
    """Return (N,) the penalty of each text against the other with the nearest length."""
    ordered = np.sort(sizes)
    place = np.searchsorted(ordered, sizes)
    has_twin = np.searchsorted(ordered, sizes, "right") - place > 1
    shorter = np.where(place > 0, ordered[place - 1], -(10**9))
    after = np.searchsorted(ordered, sizes, "right")
    longer = np.where(after < len(ordered), ordered[np.minimum(after, len(ordered) - 1)], 10**9)
    nearest = np.where(sizes - shorter <= longer - sizes, shorter, longer)
    reference = np.where(has_twin, sizes, nearest)
    return np.where(sizes >= reference, 1.0, np.exp(1 - reference / sizes))
