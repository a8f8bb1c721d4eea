"""Cells in which so few candidates pass that those few are mostly luck.

A cell is (generator, task, document language, query language). No gate is perfect: of unusable
candidates it lets a share *f* through. Where a generator writes well that does not matter; where
nearly nothing is usable, the few that pass are nearly all leaks.

Let *y* be the share of a cell's candidates that pass all checks, and *u* <= 1 the share that is
unusable. Passing unusable candidates are *u f* of all, so among the passing ones

    precision = 1 - u f / y  >=  1 - f / y

A cell can promise precision *p* only if  y >= f / (1 - p).  With f = 0.01 (measured: of 480 French
and Spanish candidates of a 135M model, one or two usable, the demo's gates passed 4) and p = 0.8,
the yield must be at least 0.05: `min_share`. A cell below it is rejected whole: its survivors
cannot be told from leaks. Read a sample of one bad cell to know the f of your own gates.

A small cell shows its yield badly: one of 28 may be 0.6 % or 15 %. So it is the lower end of the
Wilson interval that must reach `min_share`: a cell must prove its yield, by size or by quality
(2 of 10 do, 1 of 10 or 1 of 28 do not), and what a tiny cell loses by that is a row or two.

The rule counts candidates, not requests: with eight tries each, requests succeed by luck too.
A cell counts once, over the whole run, so it cannot be a gate: a shard sees a part of a cell.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa
from pydantic import Field

from sdg.part import Part
from sdg.verdicts import VERDICTS

CELL = ["generator", "task", "document_language", "query_language"]
REASON = "cell_yield_too_low"
COUNTS = pa.schema([*((name, pa.string()) for name in CELL), ("num_candidates", pa.int64())])


class CellYieldConfig(Part):
    """When a cell is rejected whole.

    Attributes:
        enabled: False lets every cell pass.
        min_share: Share of a cell's candidates that must pass, in [0, 1]; 0.05 is own, see the
            module's text.
        z_score: Width of the interval in standard deviations; 1.64 makes its lower end hold with
            95 %; 0 compares the bare share; own.
        min_candidates: Cells with fewer candidates are not judged; own.
        generated_only: True leaves natural pairs alone; those are human-written, and what passes
            is not a leak.
    """

    enabled: bool = True
    min_share: float = Field(default=0.05, ge=0, le=1)
    z_score: float = Field(default=1.64, ge=0)
    min_candidates: int = Field(default=1, ge=1)
    generated_only: bool = True


def count_candidates(batches: Iterable[pa.Table]) -> pa.Table:
    """Return how many rows each cell has.

    Args:
        batches: Tables with at least the CELL columns.

    Returns:
        COUNTS, by cell ascending. For rows rejected by `keep_best_candidates` count them too: they
        passed every check and lost to a better one of the same request.
    """
    frames = [
        pl.DataFrame(batch.select(CELL)).group_by(CELL).agg(num_candidates=pl.len().cast(pl.Int64))
        for batch in batches
        if batch.num_rows
    ]
    if not frames:
        return COUNTS.empty_table()
    counts = pl.concat(frames).group_by(CELL).agg(pl.col("num_candidates").sum()).sort(CELL)
    return counts.to_arrow().cast(COUNTS)


def find_low_yield_cells(arrived: pa.Table, passed: pa.Table, config: CellYieldConfig) -> pa.Table:
    """Return the cells that are rejected whole.

    Args:
        arrived: COUNTS of the candidates that came to the first check.
        passed: COUNTS of those that passed the last one.
        config: Bounds.

    Returns:
        Rows of COUNTS (of `arrived`) plus `num_passed` (int64), `share` and `share_at_least` (the
        lower end of its interval; both float64), by cell.
    """
    cells = pl.DataFrame(arrived).join(
        pl.DataFrame(passed).rename({"num_candidates": "num_passed"}), on=CELL, how="left"
    )
    cells = cells.with_columns(pl.col("num_passed").fill_null(0)).with_columns(
        share=pl.col("num_passed") / pl.col("num_candidates"),
        share_at_least=_wilson_lower(config.z_score),
    )
    is_judged = pl.col("num_candidates") >= config.min_candidates
    if config.generated_only:
        is_judged &= pl.col("generator") != ""
    if not config.enabled:
        is_judged &= pl.lit(value=False)
    low = cells.filter(is_judged & (pl.col("share_at_least") < config.min_share)).sort(CELL)
    return low.to_arrow().cast(
        pa.schema(
            [
                *COUNTS,
                ("num_passed", pa.int64()),
                ("share", pa.float64()),
                ("share_at_least", pa.float64()),
            ]
        )
    )


def reject_cells(queries: pa.Table, cells: pa.Table) -> pa.Table:
    """Return VERDICTS for the queries of rejected cells; detail: "passed/candidates".

    Args:
        queries: Rows that are still kept, with `query_id` and the CELL columns.
        cells: What `find_low_yield_cells` returned.

    Returns:
        VERDICTS by `query_id` ascending, to be carried out with `verdicts.apply_verdicts`.
    """
    rows = pl.DataFrame(queries.select(["query_id", *CELL])).join(
        pl.DataFrame(cells), on=CELL, how="inner"
    )
    detail = pl.format("{}/{}", "num_passed", "num_candidates")
    verdicts = rows.select("query_id", reason=pl.lit(REASON), detail=detail).sort("query_id")
    return verdicts.to_arrow().cast(VERDICTS)


def _wilson_lower(z: float) -> pl.Expr:
    """Return the lower end of the Wilson score interval of num_passed / num_candidates."""
    n, share = pl.col("num_candidates"), pl.col("num_passed") / pl.col("num_candidates")
    spread = z * (share * (1 - share) / n + z * z / (4 * n * n)).sqrt()
    return (share + z * z / (2 * n) - spread) / (1 + z * z / n)
