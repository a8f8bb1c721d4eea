"""Documents that must share a split: connected components over what ties two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def connected_components(num_nodes: int, left: Rows, right: Rows) -> Rows:
    """Return for every node the smallest node it is connected to.

    Args:
        num_nodes: N; nodes are 0 <= node < N.
        left: (E,) one end of every edge.
        right: (E,) the other end.

    Returns:
        (N,) int64; two nodes have the same value exactly if a path joins them.
    """
    label = np.arange(num_nodes, dtype=np.int64)
    while True:
        low = np.minimum(label[left], label[right])
        linked = label.copy()
        np.minimum.at(linked, label[left], low)
        np.minimum.at(linked, label[right], low)
        while not np.array_equal(linked, compressed := linked[linked]):
            linked = compressed
        if np.array_equal(linked, label):
            return label
        label = linked


def edges_of_equal(codes: Rows) -> tuple[Rows, Rows]:
    """Return edges that tie all rows with the same code together; negative codes tie nothing.

    Args:
        codes: (N,) int64.

    Returns:
        Two (E,) arrays: each row, and the first row with its code.
    """
    rows = np.flatnonzero(codes >= 0)
    _, first, inverse = np.unique(codes[rows], return_index=True, return_inverse=True)
    return rows, rows[first[inverse]]


def smallest_member(labels: Rows, ids: Sequence[str]) -> list[str]:
    """Return for every row the smallest id of its component: independent of the rows' order."""
    smallest: dict[int, str] = {}
    for label, identifier in zip(labels.tolist(), ids, strict=True):
        if identifier < smallest.get(label, "\U0010ffff"):
            smallest[label] = identifier
    return [smallest[label] for label in labels.tolist()]
