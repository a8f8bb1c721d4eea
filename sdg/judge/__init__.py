"""Judging: which hard negatives are false, and what becomes of them.

    query + known positives + mined negatives ─► judge 1 ─► judge 2 ─► … ─► policy ─► negatives,
                                                  all       what the one              positives,
                                                            before doubted            rejections

Mining bounds similarity; it cannot read. A judge reads the query, what is known to answer it, and
a candidate, and says whether the candidate answers it, too. Judges form a cascade (RLHN, arXiv
2505.16967): a cheap one sees everything, a dear one only what the cheap one doubted. Every judge is
shown the known positive: without it a judge does worse (67.5 without any judge, 68.1 with one that
is not shown it, 70.6 with one that is; Boosting Data Utilization for Multilingual Dense Retrieval).

To add a judge: one file here that subclasses `Judge` and registers in `JUDGES`; prompts, if it has
any, in `prompts/<name>/<language>.md`. The stage itself is `sdg.judge.negatives.judge_negatives`.

Why judges are given `Ask` and never an engine: the caller sends all requests of a judge in one
batch through the journal, so nothing that was answered is asked again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from sdg.llm import ChatRequest, Reply, Score, ScoreRequest
from sdg.part import Plugin
from sdg.registry import Registry

# A judge that only says yes or no uses the ends of the scale of grades.
YES, NO = 3, 0


class Candidate(NamedTuple):
    """A document that may answer the query, too."""

    doc_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One query, what is known to answer it, and what may.

    Attributes:
        query_id: The query.
        query: Its text.
        query_language: As `eng-Latn`.
        positives: Texts of the known positives, at least one.
        candidates: At least one, hardest first.
    """

    query_id: str
    query: str
    query_language: str
    positives: tuple[str, ...]
    candidates: tuple[Candidate, ...]


class Verdict(NamedTuple):
    """What a judge says of one candidate.

    Attributes:
        query_id: The query.
        doc_id: The candidate.
        is_relevant: True: it answers the query, so as a negative it is false. None: the judge gave
            no verdict that can be read.
        grade: 0 (irrelevant) to 3 (answers completely); None if the judge gives none.
        score: The judge's own number, higher is more relevant; None if it gives none.
        failure: "" or, where `is_relevant` is None, why; snake_case.
        was_cut: The judge read the beginning of a text only.
    """

    query_id: str
    doc_id: str
    is_relevant: bool | None
    grade: int | None = None
    score: float | None = None
    failure: str = ""
    was_cut: bool = False


class Ask(Protocol):
    """How a judge reaches the configured engines; answers come in any order, one per request."""

    def complete(self, engine: str, requests: Sequence[ChatRequest]) -> list[Reply]:
        """Return a reply to each request."""

    def score(self, engine: str, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Return a score for each request."""


class Judge(Plugin):
    """Says of candidates whether they answer a query whose positives are known.

    Attributes:
        sees: What a later place in a cascade is shown: "flagged" candidates only, or all
            candidates of "queries" with a flagged one, for judges that compare them.
    """

    sees: ClassVar[Literal["flagged", "queries"]] = "flagged"

    @property
    def engine_name(self) -> str:
        """Name of the configured engine that is asked; "" if the judge is a model of its own."""
        return ""

    @abstractmethod
    def judge(self, cases: Sequence[Case], ask: Ask, seed: int) -> list[Verdict]:
        """Return one verdict per case and candidate, in their order.

        A bad answer is a verdict with a `failure`, never an exception.

        Args:
            cases: What is judged.
            ask: Reaches the engines.
            seed: The run's seed.
        """

    def requests_at_most(self, num_candidates: int) -> int:
        """Return how many requests one query with so many candidates costs at most."""
        return num_candidates

    def may_cut(self) -> str:
        """Return a sentence where texts may be cut without a word about which; "" if they are not.

        What a judge itself cuts, it says in each verdict (`was_cut`).
        """
        return ""

    def language_for(self, query_language: str) -> str:
        """Return the language whose prompt is wanted for a query; a fallback may be used for it."""
        return query_language

    def prompt_sha256(self, query_language: str) -> dict[str, str]:  # noqa: ARG002 - none here
        """Return "task/language" -> hash of the prompts used for a query's language."""
        return {}

    def revision(self) -> str:
        """Return what pins the weights of a judge that is a model of its own, or ""."""
        return ""

    def pinned_identity(self) -> dict[str, Any]:
        """Return the identity with the revision: what decides the verdicts, but for the engine."""
        return {**self.identity(), "revision": self.revision()}


JUDGES: Registry[Judge] = Registry("judge", "sdg.judge")
