"""The compiled inner loops of mining.

Functions are compiled when first called, for the types they get, and kept beside their files or in
numba's cache folder; `compile_ahead` does it before. None holds the interpreter's lock while it
runs.
"""

from __future__ import annotations

import numpy as np

from mining.kernels.codes import quantise
from mining.kernels.compiler import compiled, compiled_sum
from mining.kernels.marked import take_marked, write_bounds
from mining.kernels.scan import scan_tile
from mining.kernels.scores import exact_block, exact_pairs, exact_score
from mining.kernels.verdicts import (
    first_alive,
    mark_shared,
    places_among,
    settle,
    settle_bounds,
    settle_rows,
    settle_shared,
)
from mining.kernels.vnni import GROUP, PANEL, group, has_vnni, mark, pack

__all__ = [
    "GROUP",
    "PANEL",
    "compile_ahead",
    "compiled",
    "compiled_sum",
    "exact_block",
    "exact_pairs",
    "exact_score",
    "first_alive",
    "group",
    "has_vnni",
    "mark",
    "mark_shared",
    "pack",
    "places_among",
    "quantise",
    "scan_tile",
    "settle",
    "settle_bounds",
    "settle_rows",
    "settle_shared",
    "take_marked",
    "write_bounds",
]


def compile_ahead() -> None:
    """Compile what every search uses, so that the first one does not wait for it."""
    ones, codes = np.ones((1, 2), np.float32), np.ones((1, 2), np.int8)
    column, rows = np.ones(1, np.float32), np.zeros(1, np.int64)
    lists, places = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int64)
    exact_pairs(ones, rows, ones, rows, column)
    quantise(ones, codes, column, np.zeros(1), np.zeros(1))
    for kind in (np.int32, np.float32):
        scan_tile(
            np.zeros((1, 1), kind), column, column, column, ones, ones, 0, rows, column,
            -column, column, lists, places, places.copy(), np.zeros(1, int), np.zeros(1, int),
            np.zeros(1, int),
        )  # fmt: skip
    if has_vnni():
        _compile_fused()
    mask, dropped = np.ones((1, 1), bool), np.zeros(1, np.int64)
    offsets = np.array([0, 1])
    mark_shared(places, rows, offsets, mask)
    settle(mask, mask, dropped)
    settle_bounds(lists, -column, column, mask, dropped)
    settle_shared(places, np.zeros(1, np.int32), rows, offsets, mask, dropped)
    settle_rows(places, rows, offsets, mask, dropped)
    first_alive(mask, places, dropped)
    places_among(places, places)


def _compile_fused() -> None:
    ones, column, rows = np.ones((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.int64)
    codes, starts = np.ones((GROUP, 4), np.int8), np.zeros(GROUP, np.int32)
    lists, places = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int64)
    bounds, words = np.zeros((4, GROUP), np.float32), np.zeros((4, 1, GROUP), np.uint64)
    group(codes[:1], codes, starts)
    write_bounds(column, column, column, column, column, lists, rows, bounds)
    mark(pack(codes[:1]), np.full(PANEL, np.nan, np.float32), codes, starts, bounds, words)
    take_marked(
        words, ones, ones, 0, rows, column, column, column, lists, places, places.copy(),
        rows.copy(), rows.copy(), rows.copy(),
    )  # fmt: skip
