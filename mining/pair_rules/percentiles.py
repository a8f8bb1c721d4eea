"""Percentiles of the cosines of pairs, by cell of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

CellColumn = Literal["task", "query_language", "document_language", "generator"]


def with_percentile(
    judged: pl.DataFrame, cell: Sequence[CellColumn], percent: float
) -> pl.DataFrame:
    """Return the rows with `bound`, a percentile of their cell's cosines, and `cell_rows`.

    Args:
        judged: Rows with `source_score`.
        cell: Columns that make a cell; none is one cell for all.
        percent: In [0, 100]; between two cosines it is interpolated linearly.

    Returns:
        The rows in their order, `bound` float64, `cell_rows` the size of the cell.
    """
    keys = [pl.col(name) for name in cell] or [pl.lit(0)]
    score = pl.col("source_score")
    return judged.with_columns(
        bound=score.quantile(percent / 100, interpolation="linear").over(keys),
        cell_rows=score.len().over(keys),
    )
