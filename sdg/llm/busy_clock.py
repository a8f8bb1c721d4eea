"""How long an engine works, whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable


class BusyClock:
    """Time in which at least one batch is under way; two batches at once count once.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._batches = 0
        self._counted_until = 0.0

    def start(self) -> None:
        """Note that a batch begins."""
        if not self._batches:
            self._counted_until = self._clock()
        self._batches += 1

    def lap(self) -> float:
        """Return the seconds that no lap has counted yet."""
        now = self._clock()
        seconds, self._counted_until = now - self._counted_until, now
        return seconds

    def end(self) -> None:
        """Note that a batch is over."""
        self._batches -= 1
