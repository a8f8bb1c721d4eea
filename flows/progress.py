"""Progress for people: a bar on a terminal, elsewhere a line a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

_LINE_EVERY_SECONDS = 60.0


class StageProgress:
    """Counts one stage's rows; safe from several threads.

    Attributes:
        unit: What one step is, as it reads after a number.
    """

    def __init__(self, stage: str, unit: str, total: int, bar: Progress | None) -> None:
        self.unit = unit
        self._stage = stage
        self._total = total
        self._done = 0
        self._tokens = 0
        self._lock = Lock()
        self._start = time.monotonic()
        self._spoke = self._start
        self._bar = bar
        self._task = None if bar is None else bar.add_task(stage, total=total or None, rate="")

    def advance(self, rows: int, tokens: int = 0) -> None:
        """Count `rows` more rows as done, and `tokens` more tokens as written."""
        with self._lock:
            self._done += rows
            self._tokens += tokens
            now = time.monotonic()
            seconds = now - self._start
            rate = f"{self._done / max(seconds, 1e-6):,.1f} {self.unit}/s"
            if self._tokens:
                rate += f", {self._tokens / max(seconds, 1e-6):,.0f} tokens/s"
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=self._done, rate=rate)
            elif now - self._spoke > _LINE_EVERY_SECONDS:
                self._spoke = now
                of = f" of {self._total:,}" if self._total else ""
                left = seconds / max(self._done, 1) * max(self._total - self._done, 0)
                rest = f", {left:,.0f} s left" if self._total else ""
                sys.stderr.write(f"{self._stage}: {self._done:,}{of} {rate}{rest}\n")


_QUIET = StageProgress("", "rows", 0, None)
_current = _QUIET


def advance(rows: int, tokens: int = 0) -> None:
    """Count rows and tokens for the stage this process is working on; without one, nothing."""
    if _current is not _QUIET:
        _current.advance(rows, tokens)


class BatchProgress:
    """Turns a journal's running totals into steps; one per thread that asks."""

    def __init__(self) -> None:
        self._last = local()

    def __call__(self, done: int, total: int, tokens: int) -> None:
        """Count what is new since the last call of this thread; see `Journal`'s `on_progress`."""
        before = getattr(self._last, "value", (0, 0, 0))
        is_new = total != before[2] or done < before[0]
        rows, written = (0, 0) if is_new else before[:2]
        advance(done - rows, tokens - written)
        self._last.value = (0, 0, 0) if done == total else (done, tokens, total)


@contextmanager
def stage_progress(stage: str, unit: str, total: int) -> Iterator[StageProgress]:
    """Yield a counter for one stage; the bar goes away with the block."""
    global _current  # noqa: PLW0603 - one stage at a time, seen by all threads of this process
    console = Console(stderr=True)
    if not console.is_terminal:
        _current = StageProgress(stage, unit, total, None)
        try:
            yield _current
        finally:
            _current = _QUIET
        return
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        _current = StageProgress(stage, unit, total, bar)
        try:
            yield _current
        finally:
            _current = _QUIET


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Say on a terminal what is waited for while the block runs; elsewhere nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(Text(what)):
        yield
