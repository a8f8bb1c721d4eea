"""Which rows are held out for evaluation, and what they share with other splits."""

from __future__ import annotations

import polars as pl

from data_cards.audit.audited_set import AuditedSet


def is_held_out(data: AuditedSet) -> pl.Series:
    """Return (R,) whether each row is outside the training split.

    That is "train", or the split with most rows (then the first by name) if none is called so.
    """
    splits = data.rows["split"]
    counts = splits.value_counts(name="rows").sort("rows", "split", descending=[True, False])
    names = counts["split"].to_list()
    home = "train" if "train" in names or not names else names[0]
    return splits != home


def spanning(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """Return the lines of `frame` whose `key` occurs in more than one `split`.

    Args:
        frame: Columns `key` and `split`, any others.
        key: Name of the column compared.
    """
    splits = frame.select(key, "split").unique().group_by(key).agg(pl.len())
    return frame.join(splits.filter(pl.col("len") > 1), on=key, how="semi", maintain_order="left")
