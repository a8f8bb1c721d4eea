"""How different vectors are from each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mining.encoders import Floats

# Eigenvalues below it are rounding: their share of the entropy is nothing.
_ROUNDING = 1e-12


class Spread(NamedTuple):
    """Of n vectors.

    Attributes:
        num: n, without zero vectors.
        vendi: 1 if all are equal, n if all are at right angles; 0 of none.
        mean_cosine: Mean over all pairs of two different vectors; 0 of fewer than two.
        spread: 1 - length of the mean vector; 0 if all are equal.
    """

    num: int
    vendi: float
    mean_cosine: float
    spread: float


def spread_of(vectors: Floats) -> Spread:
    """Return how different unit vectors are; zero vectors are left out.

    The Vendi score is the exponential of the entropy of the eigenvalues of K / n, where K holds the
    cosine of every pair: the effective number of different texts.

    Args:
        vectors: (n, D) float32.

    Reference: Friedman and Dieng 2022, The Vendi Score, arXiv 2210.02410.
    """
    kept = vectors[np.linalg.norm(vectors, axis=1) > 0].astype(np.float64)
    num = len(kept)
    if not num:
        return Spread(0, 0.0, 0.0, 0.0)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    # Both products have the same eigenvalues above zero; the smaller one is cheaper.
    product = kept @ kept.T if num <= kept.shape[1] else kept.T @ kept
    values = np.linalg.eigvalsh(product / num)
    values = values[values > _ROUNDING]
    vendi = float(np.exp(-(values * np.log(values)).sum()))
    length = float(np.linalg.norm(kept.mean(axis=0)))
    mean = (length * length * num - 1) / (num - 1) if num > 1 else 0.0
    return Spread(num, vendi, mean, max(0.0, 1 - length))
