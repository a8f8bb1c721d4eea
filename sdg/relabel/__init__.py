"""Relabelling: which of the documents near a query is its best positive (Gecko, arXiv 2403.20327).

    query + top candidates ─► scorer 1 ─► ranking 1 ─┐
                           ─► scorer 2 ─► ranking 2 ─┴─► Reciprocal Rank Fusion ─► new positive

A query written for one passage is often answered better by another. An LLM scores the query's
nearest documents; the rankings are fused; rank 0 becomes the positive. Gecko's positive differs
from the source in about 15 % of the cases.

To add a scorer: one file here that subclasses `Scorer` and registers in `SCORERS`, and its prompts
in `prompts/<name>/<language>.md`. The stage itself is `sdg.relabel.positives.relabel`.

Why scorers write requests and read answers instead of asking an LLM: the caller sends all requests
of all scorers in one batch through the journal, and no scorer can do I/O.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sdg.llm import Score, ScoreRequest
from sdg.part import Plugin
from sdg.prompt_choice import choose_prompt
from sdg.registry import Registry


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a document whose relevance is asked for.

    Attributes:
        key: Unique in a batch; every request's key starts with it.
        query: The query's text.
        query_language: As `eng-Latn`.
        document: The document's text, cut to what the configuration allows.
    """

    key: str
    query: str
    query_language: str
    document: str


class Scorer(Plugin):
    """How relevant a document is to a query, from an LLM's log-likelihoods.

    Attributes:
        requests_per_pair: How many ScoreRequests one pair costs.
        prompt_language: Language of the prompt around query and document; "" is the query's own.
            A small model that knows one language is better asked in it.
        min_gain: If given, the positive changes only if the new one's score exceeds the source's by
            at least this much, in the scorer's own unit. Gecko has no such bound: None.
    """

    requests_per_pair: ClassVar[int] = 1

    prompt_language: str = ""
    min_gain: float | None = None

    def language_for(self, query_language: str) -> str:
        """Return the language whose prompt is used for a query."""
        return self.prompt_language or query_language

    def prompt_name(self, query_language: str) -> str:
        """Return `<task>/<language>` of the prompt file: the English one where there is no other.

        Raises:
            ConfigError: If there is none at all, or it is damaged.
        """
        return choose_prompt(self.name, self.language_for(query_language)).name

    @abstractmethod
    def requests(self, pair: Pair) -> Sequence[ScoreRequest]:
        """Return `requests_per_pair` requests whose keys are unique and start with `pair.key`.

        Raises:
            ConfigError: If there is no prompt for the language.
        """

    @abstractmethod
    def score(self, answers: Sequence[Score]) -> float | None:
        """Return the pair's score, higher is more relevant; None if an answer failed.

        Args:
            answers: The answers to `requests`, in the same order.
        """

    @abstractmethod
    def prompt_sha256(self, query_language: str) -> str:
        """Return the hash of the prompt used for a language; part of the stage's fingerprint."""


SCORERS: Registry[Scorer] = Registry("scorer", "sdg.relabel")
