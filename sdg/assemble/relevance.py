"""Judges' grades of documents -> the column `relevance`, aligned with positives then negatives."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from sdg.assemble import arrow_lists
from sdg.schemas import GRADES, check_table


def relevance_of(rows: pa.Table, grades: pa.Table | None) -> pa.ListArray:
    """Return each row's grades: of its positives, then of its negatives; null where not judged.

    Args:
        rows: Columns `query_id`, `positive_ids`, `negative_ids`.
        grades: GRADES, each pair at most once, any order, pairs of other rows are fine; None: no
            judge gave any.
    """
    positives = arrow_lists.flat(rows["positive_ids"])
    negatives = arrow_lists.flat(rows["negative_ids"])
    lengths = positives.lengths + negatives.lengths
    if grades is None or not grades.num_rows:
        return arrow_lists.lists_of(pa.nulls(int(lengths.sum()), pa.int8()), lengths)
    check_table(grades, GRADES, "grades")
    listed = pl.DataFrame(
        {
            "query_id": pl.Series(rows["query_id"], dtype=pl.String),
            "positive_ids": pl.Series(rows["positive_ids"], dtype=pl.List(pl.String)),
            "negative_ids": pl.Series(rows["negative_ids"], dtype=pl.List(pl.String)),
        }
    )
    both = listed.select(
        "query_id", doc_id=pl.col("positive_ids").list.concat("negative_ids")
    ).explode("doc_id", empty_as_null=False, keep_nulls=False)
    found = both.join(
        pl.DataFrame(grades), on=["query_id", "doc_id"], how="left", maintain_order="left"
    )
    return arrow_lists.lists_of(found["grade"].cast(pl.Int8).to_arrow(), lengths)
