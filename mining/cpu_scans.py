"""Queries that were scanned on the CPU although the search was asked to run on a GPU, counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class CpuScans:
    """A count.

    Attributes:
        queries: Scanned so far.
    """

    def __init__(self) -> None:
        self.queries = 0


# Of a thread, not of an index: one index serves several threads, and a stage is one thread.
_COUNTING: ContextVar[CpuScans | None] = ContextVar("cpu_scans", default=None)


@contextmanager
def counting_cpu_scans() -> Iterator[CpuScans]:
    """Yield a count of what this thread's searches scan on the CPU inside the block."""
    scans = CpuScans()
    token = _COUNTING.set(scans)
    try:
        yield scans
    finally:
        _COUNTING.reset(token)


def add_cpu_scans(queries: int) -> None:
    """Count queries, if somebody asked for it."""
    scans = _COUNTING.get()
    if scans is not None:
        scans.queries += queries
