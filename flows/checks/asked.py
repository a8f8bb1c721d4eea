"""Who is asked what by a configuration, and how a check asks: past the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flows.config import RunConfig
from flows.judging import held_judges
from flows.resources import held
from sdg.judge import Judge
from sdg.llm import ChatRequest, Engine, Reply, Sampling, Score, ScoreRequest


class Use(NamedTuple):
    """What the run asks of a generator.

    Attributes:
        chats: True if by chat, False if by texts to continue only.
        scores: True if likelihoods are asked for, too.
        sampling: Of the first task that asks it; the default if none does.
    """

    chats: bool
    scores: bool
    sampling: Sampling


class DirectAsk:
    """Reaches the configured engines without a journal: nothing is remembered.

    Args:
        generators: The configured engines by name.
    """

    def __init__(self, generators: Mapping[str, Engine]) -> None:
        self._generators = generators

    def complete(self, engine: str, requests: Sequence[ChatRequest]) -> list[Reply]:
        """Return a reply to each request."""
        return list(held(self._generators[engine]).complete(requests))

    def score(self, engine: str, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Return a score for each request."""
        return list(held(self._generators[engine]).score(requests))


def all_judges(config: RunConfig) -> list[Judge]:
    """Return every judge that a run asks, each once, with what this process has loaded of it."""
    settings = [config.judge]
    if config.audit.enabled:
        settings.append(config.audit.judge)
    return list({j: None for s in settings for j in held_judges(s).everyone})


def use_of(config: RunConfig, names: Sequence[str]) -> Use:
    """Return what the run asks of the generator that has these names.

    Tasks ask by chat and want JSON, but for those whose `shape` is "completion".
    """
    entries = (*config.plan.entries, *config.variations)
    tasks = [e.task for e in entries if e.engines & set(names)]
    judges = [j for j in all_judges(config) if j.engine_name in names]
    scoring = [j for j in judges if getattr(j, "method", "") == "likelihood"]
    shapes = [getattr(task, "shape", "chat") for task in tasks]
    shapes += ["chat"] * (len(judges) - len(scoring))
    shapes += ["chat" for reviewer in config.review if reviewer.engine in names]
    relabels = config.relabel.enabled and config.relabel.engine in names
    sampling = next((getattr(t, "sampling", None) for t in tasks), None)
    return Use("chat" in shapes or not shapes, relabels or bool(scoring), sampling or Sampling())
