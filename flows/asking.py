"""How a shard reaches the configured engines: through the journal, with its account kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.resources import held, journal
from sdg.llm import PASSING_FAILURES, ChatRequest, Engine, Reply, Score, ScoreRequest
from sdg.llm.journal import Use


def scope_of(folder: Path) -> str:
    """Return the name under which the journal keeps account of the shard in `folder`."""
    return "/".join(folder.parts[-3:])


class JournalAsk:
    """Reaches the configured engines through the journal; counts what was left unanswered.

    Args:
        generators: The configured engines by name.
        path: The journal's file.
        folder: Of the shard that is computed; its account begins anew. None keeps no account.

    Attributes:
        unanswered: Requests that failed in a way that may pass.
    """

    def __init__(
        self, generators: Mapping[str, Engine], path: Path, folder: Path | None = None
    ) -> None:
        self._generators = generators
        self._path = path
        self._scope = "" if folder is None else scope_of(folder)
        self.unanswered = 0
        if self._scope:
            journal(path).forget_uses(self._scope)

    def complete(self, engine: str, requests: Sequence[ChatRequest]) -> list[Reply]:
        """Return a reply to each request."""
        asked = held(self._generators[engine])
        replies = journal(self._path).complete(asked, requests, self._use(engine))
        self.unanswered += sum(reply.failure in PASSING_FAILURES for reply in replies)
        return replies

    def score(self, engine: str, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Return a score for each request."""
        asked = held(self._generators[engine])
        scores = journal(self._path).score(asked, requests, self._use(engine))
        self.unanswered += sum(score.failure in PASSING_FAILURES for score in scores)
        return scores

    def _use(self, engine: str) -> Use | None:
        return Use(self._scope, engine) if self._scope else None
