"""Plan: a seeded, stratified choice of documents, and what is asked about each.

    documents' index + quotas ─► per quota: eligible ─► topics take turns ─► requests

Documents are drawn topic by topic in turns, in an order that a hash of (seed, entry, document)
gives: every topic is served equally until it has no document left, and the choice depends neither
on the order nor on the cut of the input. Prior art: SWIM-IR samples strata, alphabetically.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from sdg.companions import with_companions
from sdg.ids import seed_for
from sdg.part import Part
from sdg.personas import PersonaConfig
from sdg.request_rows import planned, random_draws, request_row
from sdg.schemas import StageResult, empty
from sdg.task_entry import TaskEntry, dump_task
from sdg.tasks import TASKS, Task

STAGE = "plan"

INDEX = pa.schema(
    [
        ("doc_id", pa.string()),
        ("language", pa.string()),
        ("topic", pa.string()),
        ("num_characters", pa.int32()),
        ("natural_kinds", pa.list_(pa.string())),
        ("parent_id", pa.string()),
    ]
)


class Quota(Part):
    """How many documents of a language are asked about, in which language.

    Attributes:
        documents: Language of the documents, "eng-Latn".
        queries: Language of the queries; another one makes a cross-lingual pair.
        count: Documents; fewer are planned, and the rest counted, if the corpus has fewer.
    """

    documents: str = Field(pattern=r"^[a-z]{3}-[A-Z][a-z]{3}$")
    queries: str = Field(pattern=r"^[a-z]{3}-[A-Z][a-z]{3}$")
    count: int = Field(ge=1)


class PlanEntry(TaskEntry):
    """One task, by one generator or a pool of them, over some languages; see `TaskEntry`.

    Attributes:
        per_document: Requests per document; 3 is GPL's, 7 the Nemotron recipe's.
        quotas: Documents per pair of languages; for tasks that write their documents, requests.
        min_characters: Shorter documents are not asked about.
        max_characters: Nor are longer ones; None sets no bound.
        personas: Who asks, for tasks whose prompts say so; None for nobody in particular.
    """

    per_document: int = Field(default=1, ge=1)
    quotas: tuple[Quota, ...] = Field(min_length=1)
    min_characters: int = Field(default=0, ge=0)
    max_characters: int | None = Field(default=None, ge=1)
    personas: PersonaConfig | None = None

    @model_validator(mode="after")
    def _check_task(self) -> PlanEntry:
        if self.task.varies:
            raise ValueError(
                f"`task` must ask about documents, but {self.task.name!r} varies accepted rows "
                "instead. Put it under `variations`"
            )
        if self.personas is None:
            return self
        if not self.task.reads_personas:
            able = ", ".join(name for name in TASKS if TASKS[name].reads_personas)
            raise ValueError(
                f"`personas` must stand beside a task whose prompts say who asks ({able}), but "
                f"{self.task.name!r} says nothing of it instead. Leave them out"
            )
        return self


class PlanConfig(Part):
    """What is asked for.

    Attributes:
        entries: In any order; a document may serve several.
    """

    entries: tuple[PlanEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_labels(self) -> PlanConfig:
        seen: dict[str, dict[str, Any]] = {}
        for entry in self.entries:
            personas = entry.personas and entry.personas.model_dump(mode="json")
            settings = {"task": dump_task(entry.task), "personas": personas}
            if seen.setdefault(entry.task.label, settings) != settings:
                raise ValueError(
                    f"each task must have one set of settings, but {entry.task.label!r} has two. "
                    "Give both entries the same settings, or one of them an `alias`"
                )
        return self

    def tasks(self) -> dict[str, Task]:
        """Return column value -> task."""
        return {entry.task.label: entry.task for entry in self.entries}


def index_documents(batches: Iterable[pa.Table]) -> pa.Table:
    """Return the columns by which documents are chosen, INDEX, one row per document.

    Args:
        batches: DOCUMENTS tables; one is held at a time.
    """
    tables = [empty(INDEX)]
    for batch in batches:
        frame = pl.DataFrame(
            batch.select(["doc_id", "language", "topic", "text", "natural_texts", "parent_id"])
        )
        kinds = pl.col("natural_texts").list.eval(pl.element().struct.field("kind"))
        rows = frame.select(
            "doc_id",
            "language",
            "topic",
            num_characters=pl.col("text").str.len_chars().cast(pl.Int32),
            natural_kinds=kinds,
            parent_id="parent_id",
        )
        tables.append(rows.to_arrow().cast(INDEX))
    return pa.concat_tables(tables).combine_chunks()


def plan_requests(index: pa.Table, config: PlanConfig, seed: int) -> StageResult:
    """Return what is asked for, in the unit of requests.

    Args:
        index: INDEX of the corpus.
        config: Entries and quotas.
        seed: The run's seed.

    Returns:
        kept: REQUESTS by (task, generator, request_id), so that one generator's lie together.
        rejected: One row per request that a quota asked for beyond the documents there are, reason
            `too_few_documents`; and per request that another quota asks for too, reason
            `already_planned`.
        rows_in: The sum of all counts.

    Raises:
        ConfigError: If a task cannot serve a quota's languages.
    """
    for entry in config.entries:
        for quota in entry.quotas:
            entry.task.check(quota.documents, quota.queries)
    frame = pl.DataFrame(index)
    asked: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    for number, entry in enumerate(config.entries):
        for quota in entry.quotas:
            chosen = _choose(frame, entry, quota, seed)
            asked += [
                _request(entry, quota, row, (place, repeat), seed)
                for place, row in enumerate(chosen.iter_rows(named=True))
                for repeat in range(entry.per_document)
            ]
            row = {
                "entry": number,
                "task": entry.task.label,
                "document_language": quota.documents,
                "query_language": quota.queries,
                "generator": entry.salt,
            }
            missing += [{"row_id": "", **row}] * (quota.count - len(chosen)) * entry.per_document
    return planned(asked, missing, "too_few_documents", STAGE)


def _choose(frame: pl.DataFrame, entry: PlanEntry, quota: Quota, seed: int) -> pl.DataFrame:
    """Return up to `quota.count` eligible documents, topics in turns.

    For a task that writes its documents: one empty row per request.
    """
    if not entry.task.is_grounded:
        return pl.DataFrame({"doc_id": [""] * quota.count, "topic": [""] * quota.count})
    is_eligible = (pl.col("language") == quota.documents) & (
        pl.col("num_characters") >= entry.min_characters
    )
    if entry.max_characters is not None:
        is_eligible &= pl.col("num_characters") <= entry.max_characters
    if entry.task.needs():
        is_eligible &= pl.col("natural_kinds").list.contains(entry.task.needs())
    salt = seed_for(seed, entry.task.label, entry.salt, quota.documents, quota.queries)
    rows = frame.filter(is_eligible)
    rows = rows.with_columns(draw=pl.Series(random_draws(rows["doc_id"], salt), dtype=pl.UInt64))
    if entry.task.num_companions:
        rows = with_companions(rows, entry.task.companions, entry.task.num_companions)
    turn = pl.struct("draw", "doc_id").rank("ordinal").over("topic")
    return rows.with_columns(turn=turn).sort("turn", "draw", "doc_id").head(quota.count)


def _request(
    entry: PlanEntry, quota: Quota, row: dict[str, Any], number: tuple[int, int], seed: int
) -> dict[str, Any]:
    """Return one request; `number` is its place in the quota and its repeat, both from 0."""
    place, repeat = number
    languages = (quota.documents, quota.queries)
    drawn = seed_for(seed, entry.task.label, row["doc_id"], *languages, *map(str, number))
    spec = entry.task.draw_spec(drawn, place * entry.per_document + repeat)
    if not entry.task.is_grounded:
        spec["number"] = place
    if repeat:
        spec["repeat"] = repeat
    if entry.prepared_by:
        spec["prepared_by"] = entry.prepared_by
    if entry.task.num_companions:
        spec["companions"] = row["companions"]
    return request_row(entry, row, languages, spec, drawn=drawn, seed=seed)
