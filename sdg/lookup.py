"""Rows of 128-bit keys, found for many keys at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sdg.ids import content_id

# (N, 2) uint64; both words are taken from a hash, so they are spread evenly.
Keys = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

ABSENT = -1


class _Run(NamedTuple):
    """Keys in ascending order of their first word, and the row of each."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    rows: Rows


class Lookup:
    """Key -> row; rows are numbered in the order in which keys were added.

    Keys lie in sorted runs. A run that is not much smaller than the one before it is merged with
    it, so there are about log2(N) runs and adding costs O(N log N) in all, without a Python object
    per key: 24 bytes each.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._count = 0

    def __len__(self) -> int:
        """Return the number of keys that were added."""
        return self._count

    def add(self, keys: Keys) -> None:
        """Add (N, 2) keys, numbered on from those before; of equal keys the first one is found."""
        rows = np.arange(self._count, self._count + len(keys), dtype=np.int64)
        self._count += len(keys)
        run = _sorted(keys[:, 0], keys[:, 1], rows)
        while self._runs and 2 * len(run.rows) > len(self._runs[-1].rows):
            before = self._runs.pop()
            run = _sorted(*(np.concatenate(pair) for pair in zip(before, run, strict=True)))
        self._runs.append(run)

    def find(self, keys: Keys) -> Rows:
        """Return the (Q,) rows of (Q, 2) keys, `ABSENT` where a key was never added."""
        found = np.full(len(keys), ABSENT, np.int64)
        for run in self._runs:
            open_ = np.flatnonzero(found == ABSENT)
            if not len(open_):
                break
            found[open_] = _find(run, keys[open_])
        return found


def keys_of(texts: Iterable[str]) -> Keys:
    """Return the (N, 2) uint64 keys of texts: the 32 digits of `ids.content_id`, one text each."""
    return parse_keys([content_id("", text) for text in texts])


def parse_keys(ids: Sequence[str]) -> Keys:
    """Return (N, 2) uint64 of what `ids.content_id` gave, whatever the prefix."""
    digits = "".join(key[-32:] for key in ids)
    return np.frombuffer(bytes.fromhex(digits), "<u8").reshape(-1, 2).astype(np.uint64)


def _sorted(high: Keys, low: Keys, rows: Rows) -> _Run:
    order = np.argsort(high, kind="stable")
    return _Run(high[order], low[order], rows[order])


def _find(run: _Run, keys: Keys) -> Rows:
    found = np.full(len(keys), ABSENT, np.int64)
    place = np.searchsorted(run.high, keys[:, 0])
    active = np.arange(len(keys))
    # Almost always one step: more only where first words are equal and second ones are not.
    while len(active):
        active = active[place[active] < len(run.high)]
        active = active[run.high[place[active]] == keys[active, 0]]
        is_hit = run.low[place[active]] == keys[active, 1]
        hits = active[is_hit]
        found[hits] = run.rows[place[hits]]
        active = active[~is_hit]
        place[active] += 1
    return found
