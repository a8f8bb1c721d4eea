"""How far a batch of requests is, as it is told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sdg.llm import Reply, Score

Progress = Callable[[int, int, int], None]


class BatchProgress:
    """Adds up what the callback of a journal is told about one batch.

    Args:
        callback: Called with (answered, all, tokens written and read so far), or None.
        completion_tokens: Tokens written for an answer.
        total: Distinct requests of the batch.
    """

    def __init__(
        self, callback: Progress | None, completion_tokens: Callable[[Any], int], total: int
    ) -> None:
        self._callback = callback
        self._completion_tokens = completion_tokens
        self._total = total
        self._done = 0
        self._tokens = 0

    def add(self, answers: Collection[Reply] | Collection[Score]) -> None:
        """Count `answers` and tell the callback."""
        self._done += len(answers)
        self._tokens += sum(a.prompt_tokens + self._completion_tokens(a) for a in answers)
        if self._callback is not None:
            self._callback(self._done, self._total, self._tokens)
