"""Companions: the further documents that a query over several documents needs."""

from __future__ import annotations

from typing import Literal

import polars as pl


def with_companions(
    rows: pl.DataFrame, shared: Literal["parent", "topic", "language"], count: int
) -> pl.DataFrame:
    """Return the rows that have enough companions, with a list column `companions` of their ids.

    Companions share the language and, as asked, the topic or the document they were cut from; for
    "topic" and "language" they are pieces of other documents. In every such group the documents
    stand in a circle in the order of their draws; a document's companions are the next ones.

    Args:
        rows: Columns `doc_id`, `parent_id`, `topic`, `language`, and `draw`, a number that puts
            them in a random order; each id once.
        shared: What companions have in common.
        count: Companions per document.
    """
    keys = {"parent": ["parent_id"], "topic": ["language", "topic"], "language": ["language"]}
    drawn = rows.sort("draw", "doc_id")
    if shared != "parent":
        # One piece of each document, so that companions are never pieces of one.
        drawn = drawn.unique("parent_id", keep="first", maintain_order=True)
    group = keys[shared]
    drawn = drawn.filter(pl.len().over(group) > count)
    steps = [
        pl.concat([pl.col("doc_id").slice(step), pl.col("doc_id").slice(0, step)])
        for step in range(1, count + 1)
    ]
    return drawn.with_columns(
        pl.concat_list([step.over(group) for step in steps]).alias("companions")
    )
