"""Which rows a training step sees: the same for all arms."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np


def plan_batches(
    documents: Sequence[str], groups: Sequence[str], batch_size: int, steps: int, seed: int
) -> list[list[int]]:
    """Return the rows of every step.

    Rows come in a new random order each time round. Within a step no two have the same positive or
    group: the other's positive counts as a negative. A row that has no place waits for the next.

    Args:
        documents: (R,) the positive of each row.
        groups: (R,) its group; "" ties it to no other.
        batch_size: Rows of a step; fewer where the rest of the rows may not stand together.
        steps: At least 1.
        seed: Of the order.
    """
    draws = np.random.default_rng(seed)
    keys = [
        {("document", document), ("group", group)} if group else {("document", document)}
        for document, group in zip(documents, groups, strict=True)
    ]
    waiting: deque[int] = deque()
    batches: list[list[int]] = []
    while len(batches) < steps:
        if len(waiting) < batch_size:
            waiting.extend(draws.permutation(len(keys)).tolist())
        batches.append(_next_batch(waiting, keys, batch_size))
    return batches


def _next_batch(
    waiting: deque[int], keys: Sequence[set[tuple[str, str]]], batch_size: int
) -> list[int]:
    batch: list[int] = []
    later: list[int] = []
    seen: set[tuple[str, str]] = set()
    while waiting and len(batch) < batch_size:
        row = waiting.popleft()
        if seen & keys[row]:
            later.append(row)
        else:
            seen |= keys[row]
            batch.append(row)
    waiting.extendleft(reversed(later))
    return batch
