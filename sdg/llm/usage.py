"""What was asked of engines, and what it cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked and what it cost.

    Attributes:
        requests: Requests given to the journal.
        sent: Requests sent to an engine; the rest was answered from disk or equal to one sent.
        failed: Requests answered by a failure, from disk or not.
        prompt_tokens_sent: Tokens that engines read for requests sent.
        completion_tokens_sent: Tokens that engines wrote for requests sent.
        prompt_tokens: Tokens read for all distinct answers, those from disk included.
        completion_tokens: Tokens written for all distinct answers, those from disk included.
        engine_seconds: Time spent waiting for engines, summed over threads.
        reasoning_tokens: How many of `completion_tokens` are reasoning.
    """

    requests: int = 0
    sent: int = 0
    failed: int = 0
    prompt_tokens_sent: int = 0
    completion_tokens_sent: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    engine_seconds: float = 0.0
    reasoning_tokens: int = 0

    @property
    def from_journal(self) -> int:
        """Requests that were answered without being sent."""
        return self.requests - self.sent

    def __add__(self, other: Usage) -> Usage:
        """Return the usage of both together."""
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: Usage) -> Usage:
        """Return what was used since the earlier snapshot `other`."""
        return Usage(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))

    def to_json(self) -> dict[str, int | float]:
        """Return the counters as JSON."""
        return {**asdict(self), "from_journal": self.from_journal}
