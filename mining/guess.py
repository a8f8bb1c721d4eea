"""A guess of the score that enters a long list, from a random sample of the corpus.

A list of the best k that is kept while scanning takes in about k ln(N / k) documents more than it
keeps, because the first ones it sees are not the best: most of the price of a long list. The score
at a certain rank of a random sample bounds all lists from below, but for one in a million. Where
documents lie does not matter to that, since the sample is random: a corpus sorted by topic, or by
score, is no worse than a shuffled one.

A list that is full in spite of the bound is exact, and one that is not is made again without it, so
the guess decides the speed and never the result.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

# Documents sampled for each that is wanted: more cost products, fewer give a looser bound. Own,
# from 1M documents x 384: a pair costs about 1 ns and a document that enters a list 250 ns.
_SAMPLED_PER_WANTED = 256
# Nor more than this share of a corpus: of half of it, little is left to save.
_MAX_SHARE = 1 / 8
# Lists that are shorter cost too little to save on.
_MIN_WANTED = 32
# How often a bound may be too high. Making a single list again reads the whole corpus once more.
_MAX_FAILURE = 1e-6


def sample(num_documents: int, k: int) -> Rows:
    """Return the rows of a random sample, ascending; none if a list of k is as quick without.

    Drawn with a seed of its own: what is found does not depend on it.

    Args:
        num_documents: N.
        k: Documents wanted per query.
    """
    size = min(_SAMPLED_PER_WANTED * k, int(_MAX_SHARE * num_documents))
    if k < _MIN_WANTED or rank(k, size / max(1, num_documents)) > size:
        return np.empty(0, np.int64)
    drawn = np.random.default_rng(0).choice(num_documents, size, replace=False, shuffle=False)
    return np.sort(drawn).astype(np.int64, copy=False)


def rank(k: int, share: float) -> int:
    """Return the rank in a sample that nearly always lies below rank k in the corpus, from 1.

    The document of that rank can only be among the best k if so many of them were drawn, which is
    as probable as that many heads of k coins (less so: a sample does not repeat itself).

    Args:
        k: Rank in the corpus.
        share: Of the corpus that was drawn.
    """
    left, heads = 1.0, 0
    while left > _MAX_FAILURE and heads < k:
        left -= math.comb(k, heads) * share**heads * (1.0 - share) ** (k - heads)
        heads += 1
    return heads
