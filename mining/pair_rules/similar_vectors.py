"""Twins by the cosine of their vectors, greedy: a row's twin comes before it and has none itself.

Decided by `kernels.exact_score`, so neither blocks nor the order of a sum change who is a twin.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mining.kernels import compiled, exact_pairs, exact_score
from mining.pair_rules.twins import Kin

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Axes on which all rows are compared before any pair is looked at in full.
_AXES = 64
_SAMPLE = 16_384
_BLOCK_ROWS = 512
_BLOCK_COLUMNS = 32_768
_PAIRS = 65_536
# More than float32 sums of products of unit vectors can be wrong by.
_SLACK = 1e-4
_SQUARE_SLACK = 1e-6


@compiled
def twins_in_groups(
    vectors: Floats, places: Rows, starts: Rows, tries: Rows, families: Rows, cosine: float
) -> Rows:
    """Return (N,) the first row of the same group that is a twin, -1 for none.

    Args:
        vectors: (M, D) float32 unit rows.
        places: (N,) row of `vectors` of each row.
        starts: (G + 1,) group g is rows `starts[g]` to `starts[g + 1]`, best first.
        tries: (N,) rows with equal codes are not compared.
        families: (N,) likewise.
        cosine: Rows with more than this are twins.
    """
    twin = np.full(len(places), -1, np.int64)
    for group in range(len(starts) - 1):
        for row in range(starts[group], starts[group + 1]):
            for other in range(starts[group], row):
                if twin[other] >= 0 or tries[row] == tries[other]:
                    continue
                if families[row] == families[other]:
                    continue
                if exact_score(vectors, places[row], vectors, places[other]) > cosine:
                    twin[row] = other
                    break
    return twin


def twins_everywhere(vectors: Floats, places: Rows, kin: Kin, cosine: float) -> Rows:
    """Return (N,) the first row that is a twin, -1 for none.

    Exact: for unit vectors, the product over some axes plus the product of what is left of either
    length is at least the cosine (Cauchy-Schwarz). That is one product of short vectors; only pairs
    that reach the bound by it are looked at in full. Memory: 260 bytes per row and blocks of
    64 MiB.

    Args:
        vectors: (M, D) float32 unit rows, maybe a file.
        places: (N,) row of `vectors` of each row, best first.
        kin: Who is not compared.
        cosine: Rows with more than this are twins, at least 0.
    """
    twin = np.full(len(places), -1, np.int64)
    short = _shortened(vectors, places)
    # Rows without a twin move to the front of `short`, behind the block that is being looked at.
    stays = np.empty(len(places), np.int64)
    count = 0
    for start in range(0, len(places), _BLOCK_ROWS):
        open_ = np.arange(start, min(start + _BLOCK_ROWS, len(places)))
        for column in range(0, count, _BLOCK_COLUMNS):
            part = slice(column, min(column + _BLOCK_COLUMNS, count))
            reach = short[open_] @ short[part].T
            left, right = np.nonzero(reach >= cosine - _SLACK)
            rows, others = open_[left], stays[part][right]
            is_twin = _are_twins(vectors, places, kin, (rows, others), cosine)
            _take_first(rows[is_twin], others[is_twin], twin)
            open_ = open_[twin[open_] < 0]
        reach = short[open_] @ short[open_].T
        left, right = np.nonzero(np.tril(reach >= cosine - _SLACK, -1))
        rows, others = open_[left], open_[right]
        is_twin = _are_twins(vectors, places, kin, (rows, others), cosine)
        _take_first(rows[is_twin], others[is_twin], twin)
        open_ = open_[twin[open_] < 0]
        stays[count : count + len(open_)] = open_
        short[count : count + len(open_)] = short[open_]
        count += len(open_)
    return twin


@compiled
def _take_first(rows: Rows, others: Rows, twin: Rows) -> None:
    """Write each row's first twin that has none itself; pairs by row, then other, ascending."""
    for pair in range(len(rows)):
        if twin[rows[pair]] < 0 and twin[others[pair]] < 0:
            twin[rows[pair]] = others[pair]


def _are_twins(
    vectors: Floats, places: Rows, kin: Kin, pairs: tuple[Rows, Rows], cosine: float
) -> npt.NDArray[np.bool_]:
    """Return (P,) True where two rows may be compared and are close."""
    rows, others = pairs
    is_twin = kin.tries[rows] != kin.tries[others]
    is_twin &= kin.families[rows] != kin.families[others]
    compared = np.flatnonzero(is_twin)
    for start in range(0, len(compared), _PAIRS):
        part = compared[start : start + _PAIRS]
        scores = np.empty(len(part), np.float32)
        exact_pairs(vectors, places[rows[part]], vectors, places[others[part]], scores)
        is_twin[part] = scores > cosine
    return is_twin


def _shortened(vectors: Floats, places: Rows) -> Floats:
    """Return (N, A + 1) each row on the leading axes, and at least the length of what is left."""
    step = max(1, len(places) // _SAMPLE)
    sample = vectors[places[::step]].astype(np.float64)
    # Ascending eigenvalues: the last axes hold most. Any axes would be right; these save most.
    axes = np.linalg.eigh(sample.T @ sample)[1][:, -_AXES:].astype(np.float32)
    short = np.empty((len(places), axes.shape[1] + 1), np.float32)
    for start in range(0, len(places), _BLOCK_COLUMNS):
        part = slice(start, start + _BLOCK_COLUMNS)
        block = vectors[places[part]]
        short[part, :-1] = block @ axes
        squares = [np.einsum("nd,nd->n", a, a, dtype=np.float64) for a in (block, short[part, :-1])]
        short[part, -1] = np.sqrt(np.maximum(squares[0] - squares[1], 0) + _SQUARE_SLACK)
    return short
