"""Plan: a seeded, stratified choice of documents, and what is asked about each.

    documents' index + quotas ─► per quota: eligible ─► topics take turns ─► requests

Documents are drawn topic by topic in turns, in an order that a hash of (seed, entry, document)
gives: every topic is served equally until it has no document left, and the choice depends neither
on the order nor on the cut of the input. Prior art: SWIM-IR samples strata, alphabetically.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from sdg.companions import with_companions
from sdg.ids import canonical_json, content_id, seed_for
from sdg.part import Part
from sdg.schemas import REQUESTS, StageResult, empty, reject_rows, table_of
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


def _dump_task(task: Task) -> dict[str, Any]:
    return {TASKS.key: task.name, **task.model_dump(mode="json")}


AnyTask = Annotated[Task, BeforeValidator(TASKS.build), PlainSerializer(_dump_task)]


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


class PlanEntry(Part):
    """One task, by one generator or a pool of them, over some languages.

    Attributes:
        task: `{task: name, **settings}`.
        generator: Name of a configured generator; "" for tasks that ask none.
        generators: In place of `generator`, a pool: name -> weight. Each request draws one;
            Nemotron's pools weigh their models equally (arXiv 2511.07025, Table 5).
        prepared_by: Generator of the questions before the question; "" for the request's own.
            With another one, one model writes the task and another the sample.
        quotas: Documents per pair of languages; for tasks that write their documents, requests.
        per_document: Requests per document; 3 is GPL's, 7 the Nemotron recipe's.
        min_characters: Shorter documents are not asked about.
        max_characters: Nor are longer ones; None sets no bound.
    """

    task: AnyTask
    generator: str = ""
    generators: dict[str, Annotated[float, Field(gt=0)]] = Field(default={})
    prepared_by: str = ""
    per_document: int = Field(default=1, ge=1)
    quotas: tuple[Quota, ...] = Field(min_length=1)
    min_characters: int = Field(default=0, ge=0)
    max_characters: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check_generator(self) -> PlanEntry:
        if self.generator and self.generators:
            raise ValueError(
                f"`generator` and `generators` of task {self.task.name!r} must not both be given, "
                f"but are {self.generator!r} and {sorted(self.generators)}. Keep one of the two"
            )
        if self.task.asks_llm != bool(self.generator or self.generators):
            holds = "name a generator" if self.task.asks_llm else "be empty"
            raise ValueError(
                f"`generator` of task {self.task.name!r} must {holds}, but is {self.generator!r} "
                "instead. Tasks that an LLM writes need one, natural texts have none"
            )
        if self.task.varies:
            raise ValueError(
                f"`task` must ask about documents, but {self.task.name!r} varies accepted rows "
                "instead. Put it under `variations`"
            )
        return self

    @property
    def pool(self) -> dict[str, float]:
        """Return generator -> weight; {"": 1} for tasks that ask none."""
        return self.generators or {self.generator: 1.0}

    @property
    def engines(self) -> set[str]:
        """Return the names of all generators that are asked."""
        return {name for name in (*self.pool, self.prepared_by) if name}


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
            settings = _dump_task(entry.task)
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
    planned: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    for number, entry in enumerate(config.entries):
        for quota in entry.quotas:
            chosen = _choose(frame, entry, quota, seed)
            planned += [
                _request(entry, quota, row, (place, repeat), seed)
                for place, row in enumerate(chosen.iter_rows(named=True))
                for repeat in range(entry.per_document)
            ]
            row = {
                "entry": number,
                "task": entry.task.label,
                "document_language": quota.documents,
                "query_language": quota.queries,
                "generator": _salt(entry),
            }
            missing += [{"row_id": "", **row}] * (quota.count - len(chosen)) * entry.per_document
    unique = {row["request_id"]: row for row in planned}
    doubles = [row for row in planned if unique[row["request_id"]] is not row]
    kept = sorted(unique.values(), key=lambda r: (r["task"], r["generator"], r["request_id"]))
    rejected = [_missing(missing), _doubles(doubles)]
    total = sum(q.count * entry.per_document for entry in config.entries for q in entry.quotas)
    return StageResult(table_of(kept, REQUESTS), pa.concat_tables(rejected), total)


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
    salt = seed_for(seed, entry.task.label, _salt(entry), quota.documents, quota.queries)
    rows = frame.filter(is_eligible)
    rows = rows.with_columns(draw=pl.Series(_draws(rows["doc_id"], salt), dtype=pl.UInt64))
    if entry.task.num_companions:
        rows = with_companions(rows, entry.task.companions, entry.task.num_companions)
    turn = pl.struct("draw", "doc_id").rank("ordinal").over("topic")
    return rows.with_columns(turn=turn).sort("turn", "draw", "doc_id").head(quota.count)


def _draws(doc_ids: pl.Series, salt: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return a pseudo-random number per id: its first 60 bits, salted, through splitmix64."""
    heads = doc_ids.str.slice(1, 15).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()
    mixed = heads + np.uint64(salt)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _salt(entry: PlanEntry) -> str:
    return "+".join(sorted(entry.pool))


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
    generator = _drawn_generator(entry.pool, drawn)
    text = canonical_json(spec)
    parts = (entry.task.label, generator, row["doc_id"], *languages, text)
    request_id = content_id("r", *parts)
    return {
        "request_id": request_id,
        "task": entry.task.label,
        "source_doc_id": row["doc_id"],
        "document_language": quota.documents,
        "query_language": quota.queries,
        "topic": row["topic"],
        "generator": generator,
        "seed": seed_for(seed, request_id),
        "num_candidates": entry.task.num_candidates,
        "spec": text,
    }


def _drawn_generator(pool: Mapping[str, float], drawn: int) -> str:
    """Return one generator, each as often as its weight says."""
    names = sorted(pool)
    if len(names) == 1:
        return names[0]
    bounds = np.cumsum([pool[name] for name in names])
    place = seed_for(drawn, "generator") / 2**63 * bounds[-1]
    return names[min(int(np.searchsorted(bounds, place, side="right")), len(names) - 1)]


def _missing(rows: Sequence[dict[str, Any]]) -> pa.Table:
    named = [
        {**row, "row_id": content_id("m", canonical_json(row), str(number))}
        for number, row in enumerate(rows)
    ]
    table = pa.Table.from_pylist(named) if named else pa.table({"row_id": pa.array([], "string")})
    reasons = ["too_few_documents"] * len(named)
    return reject_rows(table, "row_id", STAGE, reasons, [""] * len(named))


def _doubles(rows: Sequence[dict[str, Any]]) -> pa.Table:
    table = table_of(rows, REQUESTS)
    ids = [f"{row_id}-again" for row_id in table["request_id"].to_pylist()]
    renamed = table.drop_columns(["request_id"]).append_column("row_id", pa.array(ids, pa.string()))
    reasons = ["already_planned"] * len(ids)
    return reject_rows(renamed, "row_id", STAGE, reasons, [""] * len(ids))
