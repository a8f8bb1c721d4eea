"""One line per positive: what triplets, n-tuples and lists for distillation are made of."""

from __future__ import annotations

from typing import Literal

import polars as pl

from data_cards.exports.selection import Selection

Scores = Literal["none", "margin", "list"]


def choose_positives(selection: Selection, which: Literal["each", "first"]) -> None:
    """Keep the first positive of each row only, if `which` is "first"."""
    if which == "first":
        selection.keep_first("positives", 1, "further_positive")


def per_positive(selection: Selection) -> pl.DataFrame:
    """Return a line for each positive of each row.

    Returns:
        Columns `query_id`, `query`, `positive` (struct) and `negatives` (list of structs).
    """
    columns = ["query_id", "query", "positives", "negatives"]
    return (
        selection.frame.select(columns)
        .explode("positives", empty_as_null=False)
        .rename({"positives": "positive"})
    )


def scores_of(lines: pl.DataFrame, how: Scores, number: int) -> pl.DataFrame:
    """Return `label`, the teacher's word on the positive and the first `number` negatives.

    Args:
        lines: What `per_positive` returned; every document has a score.
        how: "margin": positive minus negative for each negative. "list": the positive's score,
            then each negative's.
        number: Negatives of every line.

    Returns:
        One column of lists; no column if `how` is "none".
    """
    positive = pl.col("positive").struct.field("score")
    negatives = [
        pl.col("negatives").list.get(place).struct.field("score") for place in range(number)
    ]
    if how == "none":
        return lines.select()
    values = [positive, *negatives] if how == "list" else [positive - n for n in negatives]
    return lines.select(pl.concat_list(values).alias("label"))
