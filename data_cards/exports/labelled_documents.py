"""Documents with a label each: what pairs and lists for rerankers are made of."""

from __future__ import annotations

from typing import Literal

import polars as pl

from data_cards.exports.selection import GRADE, SCORE, SIDES, Selection

Labels = Literal["relevance", "grade", "score"]


def need_labels(selection: Selection, labels: Labels) -> None:
    """Leave out documents that have no label of the kind wanted."""
    if labels == "score":
        selection.need_scores()
    if labels == "grade":
        for side in SIDES:
            selection.leave_out(side, GRADE.is_null(), "not_judged")


def with_labels(frame: pl.DataFrame, labels: Labels) -> pl.DataFrame:
    """Return `frame` with the column `documents`, positives before negatives.

    Args:
        frame: A selection's frame, every document with a label of the kind wanted.
        labels: "relevance": 1 for positives, 0 for negatives. "grade": the judge's. "score": the
            miner's.

    Returns:
        `documents` holds lists of `{id, text, label}`; labels are 32-bit floats.
    """
    values = {
        "positives": {"relevance": pl.lit(1), "grade": GRADE, "score": SCORE}[labels],
        "negatives": {"relevance": pl.lit(0), "grade": GRADE, "score": SCORE}[labels],
    }
    lists = [
        pl.col(side).list.eval(
            pl.struct(
                pl.element().struct.field("id"),
                pl.element().struct.field("text"),
                value.cast(pl.Float32).alias("label"),
            )
        )
        for side, value in values.items()
    ]
    return frame.with_columns(pl.concat_list(lists).alias("documents"))
