"""Which documents of which rows an export uses, and a count of all that it does not.

A selection holds one frame with a row per example: `query_id`, `query`, `query_language`,
`instruction`, and the lists `positives` and `negatives` of `{id, text, score, grade}` in the order
of the data set. Every step narrows it and counts. Scores that are NaN or infinite are null here.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_cards.exports.tally import Count, Tally
from sdg.assemble.arrow_lists import FlatLists, flat, lists_of, one

Side = Literal["positives", "negatives"]
SIDES: tuple[Side, Side] = ("positives", "negatives")
COLUMNS = (
    "query_id",
    "query",
    "query_language",
    "instruction",
    "positive_ids",
    "positives",
    "positive_scores",
    "negative_ids",
    "negatives",
    "negative_scores",
    "relevance",
)
SCORE = pl.element().struct.field("score")
GRADE = pl.element().struct.field("grade")


class Selection:
    """Rows on their way into an export.

    Attributes:
        frame: The rows that are still in.
    """

    def __init__(self, rows: pa.Table) -> None:
        self.frame = _frame(rows)
        self._given = self._sizes()
        self._left_out = {name: Counter[str]() for name in ("rows", *SIDES)}
        self._notes = Counter[str]()
        self._repeats = 0

    def leave_out(self, side: Side, unwanted: pl.Expr, reason: str) -> None:
        """Remove documents for which an expression over `pl.element()` (the struct) is true."""
        self._narrow(side, pl.col(side).list.eval(pl.element().filter(~unwanted)), reason)

    def keep_first(self, side: Side, number: int, reason: str) -> None:
        """Remove all documents of one side after the first `number`."""
        self._narrow(side, pl.col(side).list.head(number), reason)

    def need_scores(self) -> None:
        """Remove documents without a finite score, on both sides."""
        for side in SIDES:
            self.leave_out(side, SCORE.is_null(), "no_score")

    def skip(self, unwanted: pl.Expr, reason: str) -> None:
        """Remove rows for which an expression is true; their documents go with them."""
        before = self._sizes()
        self.frame = self.frame.filter(~unwanted)
        after = self._sizes()
        self._left_out["rows"][reason] += before["rows"] - after["rows"]
        for side in SIDES:
            self._left_out[side]["row_left_out"] += before[side] - after[side]

    def need(self, *, negatives: int) -> None:
        """Remove rows without a positive, and rows with fewer negatives than wanted."""
        self.skip(pl.col("positives").list.len() == 0, "no_usable_positive")
        if negatives:
            self.skip(pl.col("negatives").list.len() == 0, "no_usable_negative")
            self.skip(pl.col("negatives").list.len() < negatives, "too_few_negatives")

    def repeat_negatives(self, number: int) -> None:
        """Fill short lists up to `number` by beginning again at the first negative."""
        lengths = pl.col("negatives").list.len()
        short = lengths.is_between(1, number - 1)
        rows, repeats = self.frame.select(
            short.sum(), (number - lengths.cast(pl.Int64)).filter(short).sum().alias("repeats")
        ).row(0)
        cycled = pl.concat_list([pl.col("negatives")] * number).list.head(number)
        if rows:
            self.frame = self.frame.with_columns(
                pl.when(short).then(cycled).otherwise(pl.col("negatives")).alias("negatives")
            )
        self._repeats += repeats
        self.note("rows_with_repeated_negatives", rows)

    def note(self, name: str, count: int) -> None:
        """Count something else worth reporting."""
        self._notes[name] += count

    def tally(self, lines: dict[str, pl.DataFrame]) -> Tally:
        """Return what became of the rows that this selection was made of."""
        sizes = self._sizes()
        sizes["negatives"] -= self._repeats
        rows, positives, negatives = (
            Count(self._given[name], sizes[name], dict(sorted((+left_out).items())))
            for name, left_out in self._left_out.items()
        )
        heights = {name: frame.height for name, frame in sorted(lines.items())}
        return Tally(rows, positives, negatives, heights, dict(sorted(self._notes.items())))

    def _narrow(self, side: Side, kept: pl.Expr, reason: str) -> None:
        before = self._sizes()[side]
        self.frame = self.frame.with_columns(kept.alias(side))
        self._left_out[side][reason] += before - self._sizes()[side]

    def _sizes(self) -> dict[str, int]:
        lengths = self.frame.select(pl.col(side).list.len().sum() for side in SIDES).row(0)
        return {"rows": self.frame.height, **dict(zip(SIDES, lengths, strict=True))}


def _frame(rows: pa.Table) -> pl.DataFrame:
    plain = {name: rows[name] for name in COLUMNS[:4]}
    positives, negatives = flat(rows["positive_ids"]), flat(rows["negative_ids"])
    grades = flat(rows["relevance"]).values
    # `relevance` holds a row's positives, then its negatives.
    lengths = np.stack([positives.lengths, negatives.lengths], axis=1).reshape(-1)
    is_positive = np.repeat(np.tile([True, False], rows.num_rows), lengths)
    sides = {
        "positives": _documents(rows, "positive", positives, grades.filter(pa.array(is_positive))),
        "negatives": _documents(rows, "negative", negatives, grades.filter(pa.array(~is_positive))),
    }
    frame = pl.from_arrow(pa.table({**plain, **sides}))
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _documents(rows: pa.Table, name: str, ids: FlatLists, grades: pa.Array) -> pa.ListArray:
    scores = flat(rows[f"{name}_scores"]).values
    scores = pc.if_else(pc.is_finite(scores), scores, pa.scalar(None, scores.type))
    columns = [ids.values, flat(rows[f"{name}s"]).values, scores, grades]
    documents = pa.StructArray.from_arrays(
        [one(column) for column in columns], names=["id", "text", "score", "grade"]
    )
    return lists_of(documents, ids.lengths)
