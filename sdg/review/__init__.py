"""Reviews: LLMs read a query beside its source document and say whether the pair may go on.

    queries + source documents ─► reviewer 1 ─► reviewer 2 ─► … ─► kept, with every score (REVIEWS)
                                       └─────────────┴──────────── rejected, with a reason

Gates look at form; a reviewer reads. It costs one request per pair, so reviews come after every
rule that costs none, and a reviewer is asked only about pairs that those before it kept. The first
that objects owns the row.

A reply that cannot be read is no verdict: its own reason rejects the row, or the row goes on and is
counted (`on_unreadable`). Nothing in a reply is repaired or guessed.

To add a reviewer: one file here that subclasses `Reviewer` and registers in `REVIEWERS`, and its
prompts in `prompts/<name>/<language>.md`. The stage itself is `sdg.review.pairs.review_pairs`.

Why scores are a table of their own and no columns of the rows: each reviewer has other criteria,
and the columns of finished rows are a contract with trainers.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import prompts
from sdg.errors import ConfigError
from sdg.judge.wording import inert, load_wording
from sdg.llm import ChatRequest, Message, Reply, Sampling
from sdg.part import Plugin
from sdg.registry import Registry


class Grade(NamedTuple):
    """What a reviewer says of one criterion.

    Attributes:
        score: On the reviewer's scale, higher is better; 0 where there is a failure.
        failure: "" or why the answer is no score: `wrong_json_schema`, `score_out_of_range`.
    """

    score: float
    failure: str = ""


class Review(NamedTuple):
    """What a reply says of a pair.

    Attributes:
        scores: Criterion -> score, in the reviewer's order; empty if the reply cannot be read.
        objection: "" or the reason for which the pair must stop, snake_case.
        failure: "" or why the reply cannot be read, snake_case.
    """

    scores: Mapping[str, float]
    objection: str = ""
    failure: str = ""


class Pair(NamedTuple):
    """A query beside its source document.

    Attributes:
        key: Unique in a batch.
        query: Its text.
        query_language: As `eng-Latn`.
        document: The document's text.
    """

    key: str
    query: str
    query_language: str
    document: str


class Reviewer(Plugin):
    """Reads pairs through one engine. Subclass, register in REVIEWERS, done.

    Attributes:
        criteria: What is judged: the keys of the JSON object that is asked for, in this order.
        json_schema: Canonical JSON of the schema that a reply must obey.
        engine: Name of the configured engine.
        tasks: Glob patterns; pairs of other tasks pass unseen. `("*",)` is every task.
        generated_only: True lets natural pairs (`generator` is "") pass unseen: the recipes judge
            what an LLM wrote, and a title that people wrote asks nothing; own.
        prompt_language: Language of the prompt around the texts; "" is the query's own.
        sampling: How the reply is drawn. Judges are drawn at 0 (DRAMA) to 0.1 (RLHN).
        on_unreadable: What becomes of a pair whose review cannot be read: "reject" stops it with
            the failure as its reason, "keep" lets it go on unreviewed and counts it; own.
    """

    criteria: ClassVar[tuple[str, ...]]
    json_schema: ClassVar[str]

    engine: str
    tasks: tuple[str, ...] = ("*",)
    generated_only: bool = True
    prompt_language: str = ""
    sampling: Sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=128)
    on_unreadable: Literal["reject", "keep"] = "reject"

    @abstractmethod
    def grade(self, criterion: str, answer: Any) -> Grade:  # noqa: ANN401 - any JSON value
        """Return what the answer to one criterion says."""

    @abstractmethod
    def objection(self, scores: Mapping[str, float]) -> str:
        """Return the reason for which a pair with these scores must stop, or ""."""

    def request(self, pair: Pair, seed: int) -> ChatRequest:
        """Return what is asked about a pair; neither text can leave its place in the prompt."""
        body = self.wording(pair.query_language).render_chat(
            query=inert(pair.query), document=inert(pair.document)
        )
        turns = (Message("user", body),)
        return ChatRequest(pair.key, "", turns, self.sampling, seed, self.json_schema)

    def read(self, reply: Reply) -> Review:
        """Return the review in a reply; strict: what is not as asked is a failure, never a guess.

        Failures: `truncated_review`, `empty_reply`, `invalid_json`, `wrong_json_schema`,
        `score_out_of_range`, and `request_<failure>` of the engine.
        """
        if reply.failure or not reply.candidates:
            return Review(
                {}, failure=f"request_{reply.failure}" if reply.failure else "empty_reply"
            )
        candidate = reply.candidates[0]
        if candidate.finish_reason == "length":
            return Review({}, failure="truncated_review")
        try:
            answers = json.loads(candidate.text)
        except (ValueError, RecursionError):
            failure = "invalid_json" if candidate.text.strip() else "empty_reply"
            return Review({}, failure=failure)
        if not isinstance(answers, dict) or answers.keys() != set(self.criteria):
            return Review({}, failure="wrong_json_schema")
        grades = {name: self.grade(name, answers[name]) for name in self.criteria}
        failure = next((g.failure for g in grades.values() if g.failure), "")
        if failure:
            return Review({}, failure=failure)
        scores = {name: grade.score for name, grade in grades.items()}
        return Review(scores, self.objection(scores))

    def prompt_sha256(self, query_language: str) -> dict[str, str]:
        """Return "task/language" -> hash of the one prompt used for a query's language."""
        wording = self.wording(query_language)
        return {f"{wording.task}/{wording.language}": wording.sha256}

    def wording(self, query_language: str) -> prompts.Prompt:
        """Return the prompt for queries in a language.

        Raises:
            ConfigError: If there is none, or it asks for other criteria than are read.
        """
        wording = load_wording(self.name, self.prompt_language or query_language)
        if set(wording.output_keys) != set(self.criteria):
            raise ConfigError(
                f"`output.keys` of the prompt {self.name}/{wording.language} must be "
                f"{sorted(self.criteria)}, but is {list(wording.output_keys)} instead. "
                "The reply is read by these keys."
            )
        return wording


REVIEWERS: Registry[Reviewer] = Registry("reviewer", "sdg.review")
