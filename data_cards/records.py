"""The parts of a data set's manifest."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, JsonValue, StringConstraints, model_validator

from sdg.part import Part
from sdg.shards import Counts

Count = Annotated[int, Field(ge=0)]
Reason = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class StageRecord(Part):
    """What one stage did, in one unit: `rows_in == kept + sum(rejected)`.

    Attributes:
        name: As in the column `stage` of rejections.
        unit: What is counted ("documents", "candidates", "queries"). A stage that counts in the
            unit of the stage before must be given exactly what that one kept.
        rows_in: Given to the stage.
        kept: Went on.
        rejected: Stopped, by reason.
        extra: Other whole numbers worth reporting; not conserved.
    """

    name: str
    unit: str
    rows_in: Count
    kept: Count
    rejected: dict[Reason, Count]
    extra: dict[str, int] = {}  # noqa: RUF012 - pydantic copies defaults

    @model_validator(mode="after")
    def _check_conservation(self) -> StageRecord:
        check_conservation(f"stage {self.name}", self.rows_in, self.kept, self.rejected)
        return self


class Cell(Part):
    """Yield of one combination of task, languages and generator.

    Attributes:
        task: As in the column `task`.
        document_language: Of the source document.
        query_language: Asked for.
        generator: Model that wrote the queries; "" for natural pairs.
        requested: Candidates the plan asked for.
        kept: Rows of the finished data set.
        rejected: Candidates that stopped at any stage, by reason.
    """

    task: str
    document_language: str
    query_language: str
    generator: str
    requested: Count
    kept: Count
    rejected: dict[Reason, Count]

    @model_validator(mode="after")
    def _check_conservation(self) -> Cell:
        name = f"cell {self.task}/{self.document_language}/{self.query_language}/{self.generator}"
        check_conservation(name, self.requested, self.kept, self.rejected)
        return self


class ModelRecord(Part):
    """An LLM that took part.

    Attributes:
        role: "generate", "review", "relabel", "judge".
        name: As in the column `generator`.
        revision: What pins the weights.
        engine: Registered name of the engine.
        sampling: How tokens were drawn; by task, judge or reviewer where they differ.
        licence: Of the weights, or "unknown".
    """

    role: str
    name: str
    revision: str
    engine: str
    sampling: dict[str, JsonValue]
    licence: str = "unknown"


class PromptRecord(Part):
    """A prompt file that was used.

    Attributes:
        path: Relative to the package `prompts`; of a task with a folder of its own, that folder's
            name and what is in it.
        language: Tag of the prompt's language.
        sha256: Of the file.
        written_by: From its front matter.
        reviewed_by: A reader of the language, or null if none read it.
    """

    path: str
    language: str
    sha256: Sha256
    written_by: str
    reviewed_by: str | None


class SourceRecord(Part):
    """A source of documents.

    Attributes:
        name: As in the column `source`.
        reader: Registered name of the reader.
        content: What pins the content: a version, a revision, or a sha256.
        documents: Read from it.
        licence: Of its texts, or "unknown".
        attribution: Whom to credit, or "unknown".
    """

    name: str
    reader: str
    content: str
    documents: Count
    licence: str
    attribution: str


class EncoderRecord(Part):
    """The encoder that mined.

    Attributes:
        name: Registered name or hub name.
        revision: What pins the weights.
        dimensions: Of a vector.
    """

    name: str
    revision: str
    dimensions: Annotated[int, Field(ge=1)]


class RuleRecord(Part):
    """A mining rule and what it dropped.

    Attributes:
        rule: Registered name.
        reason: Drop reason it counts under.
        settings: Its settings.
        dropped: Candidates it dropped, after the rules before it.
    """

    rule: str
    reason: Reason
    settings: dict[str, JsonValue]
    dropped: Count


class MiningRecord(Part):
    """How hard negatives were mined: `candidates == dropped + not_needed + selected`.

    Attributes:
        index: Name of the index ("faiss_flat").
        is_exact: False if the index approximates.
        num_negatives: Asked for per query.
        corpus_documents: Searched.
        candidates: Query-document pairs looked at.
        rules: In the order they ran.
        selected: Candidates that became negatives of finished rows.
        not_needed: Candidates that passed all rules but were not chosen.
    """

    index: str
    is_exact: bool
    num_negatives: Annotated[int, Field(ge=1)]
    corpus_documents: Count
    candidates: Count
    rules: tuple[RuleRecord, ...]
    selected: Count
    not_needed: Count

    @model_validator(mode="after")
    def _check_conservation(self) -> MiningRecord:
        dropped = {rule.reason: rule.dropped for rule in self.rules}
        if len(dropped) != len(self.rules):
            raise ValueError("`mining.rules` must have one reason each, but two share one instead.")
        kept = self.selected + self.not_needed
        check_conservation("mining", self.candidates, kept, dropped)
        return self


class RelabelRecord(Part):
    """How positives were relabelled.

    Attributes:
        scorers: In order; their ranks are fused.
        candidates_per_query: Documents judged per query.
        judged: Query-document pairs judged.
        queries: Queries judged.
        changed: Queries whose positive changed; counted before mining rejects any.
    """

    scorers: tuple[str, ...]
    candidates_per_query: Count
    judged: Count
    queries: Count
    changed: Count

    @model_validator(mode="after")
    def _check_changed(self) -> RelabelRecord:
        if self.changed > self.queries:
            raise ValueError(
                f"`relabel.changed` must be at most `relabel.queries` ({self.queries}), but is "
                f"{self.changed} instead."
            )
        return self


class RateRecord(Part):
    """A part of a whole, with the 95 % interval of its share.

    Attributes:
        part: Counted.
        whole: Of so many.
        low: Lower end of Wilson's interval.
        high: Upper end.
    """

    part: Count
    whole: Count
    low: float
    high: float


class AgreementRecord(Part):
    """What a second judge said of a sample of judged negatives, one of each sampled query.

    Attributes:
        judge: The second judge.
        sampled: Pairs of query and candidate asked about.
        unreadable: Of those, pairs without a verdict of both judges; the rest is compared.
        same: Both say the same.
        first: Flagged by the cascade.
        second: Flagged by the second judge.
        false_negatives: Sampled pairs published as negatives that the second judge flags.
        kappa: Cohen's; null if not defined.
        kappa_low: Lower end of its 95 % bootstrap interval.
        kappa_high: Upper end.
    """

    judge: str
    sampled: Count
    unreadable: Count
    same: RateRecord
    first: RateRecord
    second: RateRecord
    false_negatives: RateRecord
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


class JudgeRecord(Part):
    """How mined negatives were judged.

    Attributes:
        judges: The cascade, in order.
        policy: What a flagged negative does: "remove", "hn_remove" or "relabel".
        pool: Candidates judged per query, at most.
        max_flags: A query with more flagged candidates was dropped.
        queries: Judged.
        queries_flagged: With at least one flagged candidate.
        pairs: Query and candidate, judged.
        pairs_flagged: The candidate answers the query, too.
        pairs_unreadable: No verdict could be read.
        left: Reason -> negatives that left rows which stayed.
        agreement: A second opinion, or null.
    """

    judges: tuple[str, ...]
    policy: str
    pool: Count
    max_flags: Count
    queries: Count
    queries_flagged: Count
    pairs: Count
    pairs_flagged: Count
    pairs_unreadable: Count
    left: dict[Reason, Count]
    agreement: AgreementRecord | None

    @model_validator(mode="after")
    def _check_flagged(self) -> JudgeRecord:
        if self.pairs_flagged + self.pairs_unreadable > self.pairs:
            raise ValueError(
                f"`judge.pairs_flagged` and `pairs_unreadable` must be at most `pairs` "
                f"({self.pairs}) together, but are {self.pairs_flagged} and "
                f"{self.pairs_unreadable}."
            )
        return self


class CriterionRecord(Part):
    """What a reviewer said of finished rows by one criterion.

    Attributes:
        criterion: Its name.
        rows: Finished rows with a score.
        mean: Of the scores; null without any.
        lowest: Of the scores; null without any.
    """

    criterion: str
    rows: Count
    mean: float | None
    lowest: float | None


class ReviewerRecord(Part):
    """What one reviewer did.

    Attributes:
        reviewer: Place in the list and name.
        engine: Configured engine that was asked.
        settings: What decided.
        asked: Pairs it was asked about.
        rejected: Of these, pairs that stopped here.
        unreadable_kept: Of these, pairs that went on although no review could be read.
        criteria: What it said of the finished rows.
    """

    reviewer: str
    engine: str
    settings: dict[str, JsonValue]
    asked: Count
    rejected: Count
    unreadable_kept: Count
    criteria: tuple[CriterionRecord, ...]

    @model_validator(mode="after")
    def _check_asked(self) -> ReviewerRecord:
        if self.rejected + self.unreadable_kept > self.asked:
            raise ValueError(
                f"`review.rejected` and `unreadable_kept` must be at most `asked` ({self.asked}) "
                f"together, but are {self.rejected} and {self.unreadable_kept}."
            )
        return self


class ReviewRecord(Part):
    """How pairs were reviewed before mining.

    Attributes:
        reviewers: In the order in which they were asked.
    """

    reviewers: tuple[ReviewerRecord, ...]


class EvaluationSetRecord(Part):
    """An evaluation set that was kept out; its texts are nowhere, only their digest.

    Attributes:
        name: Of the set.
        sha256: Of its texts by their words, and its ids.
        queries: Texts that are queries.
        documents: Texts that are documents.
        ids: Documents blocked by their id.
        stopped: "<stage>.<reason>" -> rows that it stopped.
    """

    name: str
    sha256: Sha256
    queries: Count
    documents: Count
    ids: Count
    stopped: dict[str, Count]


class DecontaminationRecord(Part):
    """What was kept out because results on it would mean nothing.

    Attributes:
        ngram_words: Words in a row that had to be equal; shorter texts had to be equal as a whole.
        sets: In their order.
    """

    ngram_words: Count
    sets: tuple[EvaluationSetRecord, ...]


class FileRecord(Part):
    """A published file.

    Attributes:
        sha256: Of its bytes.
        rows: Of the Parquet table.
        bytes: Its size.
    """

    sha256: Sha256
    rows: Count
    bytes: Count


class Fact(Part):
    """Something a user must know that counts do not say.

    Attributes:
        kind: "fallback" (CPU instead of GPU, truncated text, short list), "problem" or "note".
        stage: Where it happened.
        text: One sentence.
    """

    kind: Literal["fallback", "problem", "note"]
    stage: str
    text: str


class CellKey(NamedTuple):
    """What tells one cell from another."""

    task: str
    document_language: str
    query_language: str
    generator: str


def check_conservation(name: str, rows_in: int, kept: int, rejected: dict[str, int]) -> None:
    """Check the conservation law of one part of the manifest.

    Raises:
        ValueError: If a row was lost or invented.
    """
    if rows_in != kept + sum(rejected.values()):
        raise ValueError(
            f"rows in must equal kept + rejected in {name}, but {rows_in} came in, {kept} were "
            f"kept and {rejected} rejected. The stage, or the count, loses or invents rows."
        )


def stage_record(name: str, unit: str, counts: Counts) -> StageRecord:
    """Return a stage's counts as part of the manifest."""
    return StageRecord(
        name=name,
        unit=unit,
        rows_in=counts.rows_in,
        kept=counts.kept,
        rejected=dict(sorted(counts.rejected.items())),
        extra=dict(sorted(counts.extra.items())),
    )
