"""Rows of REQUESTS: what names a request, and the random order in which things are asked about.

A request's id depends on everything that is asked and on nothing else; its seed on its id. So a
plan that is larger than an earlier one holds the requests of that one, and the journal has their
answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from sdg.ids import canonical_json, content_id, seed_for
from sdg.schemas import REQUESTS, StageResult, check_table, reject_rows, table_of
from sdg.task_entry import TaskEntry, drawn_generator

Row = dict[str, Any]

# Rows that are held as Python objects at a time.
_BLOCK_ROWS = 65_536


def request_row(
    entry: TaskEntry,
    source: Mapping[str, Any],
    languages: tuple[str, str],
    spec: Mapping[str, Any],
    *,
    drawn: int,
    seed: int,
) -> Row:
    """Return one request.

    Args:
        entry: Whose task and pool it is.
        source: `doc_id` and `topic` of what it is about.
        languages: Of the document and of the query.
        spec: JSON of what varies inside the task.
        drawn: The request's own seed before it has an id; draws its generator.
        seed: The run's seed.
    """
    row = {
        "request_id": "",
        "task": entry.task.label,
        "source_doc_id": source["doc_id"],
        "document_language": languages[0],
        "query_language": languages[1],
        "topic": source["topic"],
        "generator": drawn_generator(entry.pool, drawn),
        "seed": 0,
        "num_candidates": entry.task.num_candidates,
        "spec": canonical_json(spec),
    }
    return _identified(row, seed)


def with_specs(requests: pa.Table, specs: Sequence[Mapping[str, Any]], seed: int) -> pa.Table:
    """Return requests with other specs, and so with other ids and seeds, in the order of a plan.

    Args:
        requests: REQUESTS, R rows.
        specs: R specs.
        seed: The run's seed.
    """
    check_table(requests, REQUESTS, "requests")
    rows = (
        _identified({**row, "spec": canonical_json(spec)}, seed)
        for row, spec in zip(requests.to_pylist(), specs, strict=True)
    )
    return _in_order(pl.DataFrame(table_of(rows, REQUESTS)))


def planned(
    rows: Iterable[Row], missing: Sequence[Mapping[str, Any]], reason: str, stage: str
) -> StageResult:
    """Return requests as the result of a stage that plans them.

    Args:
        rows: Requests; two that ask the same are one.
        missing: What is known of each request that was wanted and cannot be.
        reason: Why it cannot.
        stage: The stage.

    Returns:
        kept: REQUESTS by (task, generator, request_id), so that one generator's lie together.
        rejected: One row per missing request; and per request that was there, `already_planned`.
        rows_in: Both together.
    """
    blocks = [pl.DataFrame(table_of(block, REQUESTS)) for block in _blocks(rows)]
    frame = pl.concat([pl.DataFrame(REQUESTS.empty_table()), *blocks])
    is_last = frame["request_id"].is_last_distinct()
    rejected = [_missing(missing, reason, stage), _doubles(frame.filter(~is_last), stage)]
    kept = _in_order(frame.filter(is_last))
    return StageResult(kept, pa.concat_tables(rejected), len(frame) + len(missing))


def random_draws(ids: pl.Series, salt: int) -> npt.NDArray[np.uint64]:
    """Return a pseudo-random number per id: its first 60 bits, salted, through splitmix64.

    Args:
        ids: (N,) ids that `sdg.ids.content_id` made.
        salt: Another salt gives other numbers.
    """
    heads = ids.str.slice(1, 15).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()
    mixed = heads + np.uint64(salt)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    draws: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return draws


def _identified(row: Row, seed: int) -> Row:
    languages = (row["document_language"], row["query_language"])
    parts = (row["task"], row["generator"], row["source_doc_id"], *languages, row["spec"])
    request_id = content_id("r", *parts)
    return {**row, "request_id": request_id, "seed": seed_for(seed, request_id)}


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while block := list(islice(iterator, _BLOCK_ROWS)):
        yield block


def _in_order(requests: pl.DataFrame) -> pa.Table:
    return requests.sort("task", "generator", "request_id").to_arrow().cast(REQUESTS)


def _missing(rows: Sequence[Mapping[str, Any]], reason: str, stage: str) -> pa.Table:
    named = [
        {**row, "row_id": content_id("m", canonical_json(row), str(number))}
        for number, row in enumerate(rows)
    ]
    table = pa.Table.from_pylist(named) if named else pa.table({"row_id": pa.array([], "string")})
    return reject_rows(table, "row_id", stage, [reason] * len(named), [""] * len(named))


def _doubles(frame: pl.DataFrame, stage: str) -> pa.Table:
    renamed = frame.with_columns(row_id=pl.col("request_id") + "-again").drop("request_id")
    count = len(frame)
    reasons = ["already_planned"] * count
    return reject_rows(renamed.to_arrow(), "row_id", stage, reasons, [""] * count)
