"""The true nearest documents of a few queries, by multiplying with everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_BLOCK_ROWS = 65_536
# Kept beyond k, so that rounding of the float32 product loses nothing.
_GUARD = 64


def nearest(queries: Floats, path: Path, k: int) -> Rows:
    """Return (S, k) rows by exact score descending, then row ascending.

    Args:
        queries: (S, D) float32.
        path: .npy of (N, D) float32 documents, N >= k.
        k: At least 1.
    """
    documents = np.load(path, mmap_mode="r", allow_pickle=False)
    kept = np.empty((len(queries), 0), np.int64)
    rough = np.empty((len(queries), 0), np.float32)
    for start, block in _blocks(documents):
        rows = np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block)))
        kept = np.concatenate([kept, rows], axis=1)
        rough = np.concatenate([rough, queries @ block.T], axis=1)
        surplus = kept.shape[1] - (k + _GUARD)
        if surplus > 0:
            best = np.argpartition(rough, surplus, axis=1)[:, surplus:]
            kept = np.take_along_axis(kept, best, axis=1)
            rough = np.take_along_axis(rough, best, axis=1)
    out = np.empty((len(queries), k), np.int64)
    for place, rows in enumerate(kept):
        exact = documents[np.sort(rows)].astype(np.float64) @ queries[place].astype(np.float64)
        order = np.lexsort((np.sort(rows), -exact.astype(np.float32)))[:k]
        out[place] = np.sort(rows)[order]
    return out


def recall(found: Rows, true: Rows) -> float:
    """Return the share of true rows that were found, over (S, k) rows; -1 is padding."""
    hits = [len(np.intersect1d(a[a >= 0], b)) for a, b in zip(found, true, strict=True)]
    return float(np.sum(hits) / true.size)


def _blocks(documents: Floats) -> Iterator[tuple[int, Floats]]:
    for start in range(0, len(documents), _BLOCK_ROWS):
        yield start, np.array(documents[start : start + _BLOCK_ROWS], np.float32)
