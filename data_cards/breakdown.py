"""Requested, kept and rejected candidates per task, language pair and generator."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from data_cards.records import Cell, CellKey
from sdg.errors import ContractError

_KEY = list(CellKey._fields)


def count_cells(
    requests: pa.Table, queries: pa.Table, kept_ids: pa.Array, rejections: pa.Table
) -> tuple[Cell, ...]:
    """Return the yield of every combination of task, languages and generator that was planned.

    A rejection belongs to the request named in its row (`request_id`), or else to the request of
    the query that is its `row_id`; rejections of documents belong to none and are left out.

    Args:
        requests: Schema REQUESTS, all that were planned.
        queries: Schema QUERIES, all that were ever parsed, whatever became of them.
        kept_ids: Query ids of the finished rows.
        rejections: Schema REJECTIONS, of all stages.

    Returns:
        One cell per combination, ordered by its key.

    Raises:
        ContractError: If candidates of a combination were lost or counted twice.
    """
    asked = _frame(requests.select(["request_id", "num_candidates", *_KEY]))
    parents = _frame(queries.select(["query_id", "request_id"])).unique("query_id")
    requested = asked.group_by(_KEY).agg(pl.col("num_candidates").sum())
    kept = _count(_frame(pa.table({"query_id": kept_ids})).join(parents, on="query_id"), asked, [])
    rejected = _rejected(rejections, parents, asked)
    kept_of = {CellKey(*row[:4]): row[4] for row in kept.iter_rows()}
    reasons: dict[CellKey, dict[str, int]] = {}
    for row in rejected.sort([*_KEY, "reason"]).iter_rows():
        reasons.setdefault(CellKey(*row[:4]), {})[row[4]] = row[5]
    return tuple(
        _cell(key := CellKey(*row[:4]), row[4], kept_of.get(key, 0), reasons.get(key, {}))
        for row in requested.sort(_KEY).iter_rows()
    )


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):  # pragma: no cover - only a column gives a series
        raise TypeError("a table must become a data frame")
    return frame


def _rejected(rejections: pa.Table, parents: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    rows = _frame(rejections.select(["row_id", "reason", "row"])).with_columns(
        named=pl.col("row").str.json_path_match("$.request_id")
    )
    rows = rows.drop("row").join(parents, left_on="row_id", right_on="query_id", how="left")
    rows = rows.with_columns(request_id=pl.coalesce("named", "request_id")).drop_nulls("request_id")
    return _count(rows, asked, ["reason"])


def _count(rows: pl.DataFrame, asked: pl.DataFrame, extra: list[str]) -> pl.DataFrame:
    joined = rows.join(asked, on="request_id", how="inner")
    return joined.group_by([*_KEY, *extra]).agg(pl.len())


def _cell(key: CellKey, requested: int, kept: int, rejected: dict[str, int]) -> Cell:
    if requested != kept + sum(rejected.values()):
        raise ContractError(
            f"Each requested candidate must be kept or rejected once, but of {requested} of "
            f"{tuple(key)} {kept} were kept and {rejected} rejected. A stage between generate and "
            "assemble loses, invents or does not name its rows."
        )
    return Cell(**key._asdict(), requested=requested, kept=kept, rejected=rejected)
