"""Variations: which accepted queries are asked about again, and what is asked.

    accepted queries + variations ─► per variation: eligible ─► drawn by hash ─► requests

A variation either writes another query for the same document (a paraphrase, a back-translation, an
augmentation) or documents for the query (a paraphrased positive, negatives). Which rows it is given
depends on the seed and their ids, not on the order of the rows; a share, other than a count, not on
how they are cut into tables either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from sdg.ids import seed_for
from sdg.request_rows import Row, planned, random_draws, request_row
from sdg.schemas import QUERIES, StageResult, check_table
from sdg.task_entry import TaskEntry

STAGE = "vary"
_COLUMNS = [
    "query_id",
    "query",
    "query_language",
    "instruction",
    "task",
    "source_doc_id",
    "document_language",
    "paraphrase_of",
]


class Variation(TaskEntry):
    """One task over a part of the accepted rows; see `TaskEntry`.

    Attributes:
        tasks: Patterns like "llm_*" of the column `task`; a row that fits one is eligible.
        languages: Of the queries; () for all.
        share: Part of the eligible rows that is varied.
        count: In place of `share`: rows; what is missing is counted if there are fewer.
        per_row: Requests per row.
    """

    tasks: tuple[str, ...] = Field(default=("*",), min_length=1)
    languages: tuple[str, ...] = ()
    share: float = Field(default=1.0, gt=0, le=1)
    count: int | None = Field(default=None, ge=1)
    per_row: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check_variation(self) -> Variation:
        if not self.task.varies:
            raise ValueError(
                f"`task` must vary accepted rows, but {self.task.name!r} asks about documents "
                "instead. Put it under `plan`"
            )
        if self.count is not None and self.share < 1:
            raise ValueError(
                f"`share` and `count` must not both be given, but are {self.share} and "
                f"{self.count}. Keep one of the two"
            )
        return self

    def fitting(self, labels: Iterable[str]) -> set[str]:
        """Return the values of the column `task` that a pattern fits."""
        return {one for one in labels if any(fnmatchcase(one, p) for p in self.tasks)}


def plan_variations(rows: pa.Table, variations: Sequence[Variation], seed: int) -> StageResult:
    """Return what is asked about accepted rows, in the unit of requests.

    Rows that are variations themselves are not varied.

    Args:
        rows: QUERIES that were accepted, each id once.
        variations: In any order; a row may serve several.
        seed: The run's seed.

    Returns:
        kept: REQUESTS by (task, generator, request_id); the spec holds the row's `query_id`,
            `query` and `instruction`.
        rejected: One row per request that a count asked for beyond the rows there are, reason
            `too_few_rows`; and per request that another variation asks for too, reason
            `already_planned`.
        rows_in: Requests wanted.

    Raises:
        ConfigError: If a task cannot serve the languages of a row that it is to vary.
    """
    check_table(rows, QUERIES, "rows")
    frame = pl.DataFrame(rows.select(_COLUMNS)).filter(pl.col("paraphrase_of") == "")
    chosen = [_choose(frame, variation, seed) for variation in variations]
    missing: list[dict[str, Any]] = []
    for number, (variation, own) in enumerate(zip(variations, chosen, strict=True)):
        languages = own.select("document_language", "query_language").unique().sort(pl.all())
        for pair in languages.iter_rows():
            variation.task.check(*pair)
        lacking = 0 if variation.count is None else variation.count - len(own)
        row = {
            "row_id": "",
            "variation": number,
            "task": variation.task.label,
            "tasks": list(variation.tasks),
            "languages": list(variation.languages),
            "generator": variation.salt,
        }
        missing += [row] * lacking * variation.per_row
    requests = (
        request
        for variation, own in zip(variations, chosen, strict=True)
        for request in _requests(variation, own, seed)
    )
    return planned(requests, missing, "too_few_rows", STAGE)


def _choose(frame: pl.DataFrame, variation: Variation, seed: int) -> pl.DataFrame:
    """Return the rows that a variation is given, in the order of their draws."""
    tasks = sorted(variation.fitting(frame["task"].unique().to_list()))
    is_eligible = pl.col("task").is_in(tasks)
    if variation.languages:
        is_eligible &= pl.col("query_language").is_in(variation.languages)
    eligible = frame.filter(is_eligible)
    salt = seed_for(seed, STAGE, variation.task.label, variation.salt)
    draws = random_draws(eligible["query_id"], salt)
    eligible = eligible.with_columns(draw=pl.Series(draws, dtype=pl.UInt64))
    if variation.count is None:
        # 53 bits are what a float holds exactly.
        is_drawn = (draws >> np.uint64(11)) < variation.share * 2**53
        return eligible.filter(pl.Series(is_drawn)).sort("draw", "query_id")
    return eligible.sort("draw", "query_id").head(variation.count)


def _requests(variation: Variation, rows: pl.DataFrame, seed: int) -> Iterator[Row]:
    label = variation.task.label
    for row in rows.iter_rows(named=True):
        languages = (row["document_language"], row["query_language"])
        source = {"doc_id": row["source_doc_id"], "topic": ""}
        # Tasks that take turns start anywhere: a row's place depends on the other rows.
        first = seed_for(seed, STAGE, label, row["query_id"]) >> 31
        for repeat in range(variation.per_row):
            drawn = seed_for(seed, label, row["query_id"], str(repeat))
            spec = {
                **variation.task.draw_spec(drawn, first + repeat),
                "query_id": row["query_id"],
                "query": row["query"],
                "instruction": row["instruction"],
            }
            if repeat:
                spec["repeat"] = repeat
            if variation.prepared_by:
                spec["prepared_by"] = variation.prepared_by
            yield request_row(variation, source, languages, spec, drawn=drawn, seed=seed)
