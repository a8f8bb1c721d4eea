"""What rules on near-duplicate queries share: whose turn it is, and who may be whose twin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = npt.NDArray[np.int64]


class Kin(NamedTuple):
    """Queries that are near each other for a reason and are not compared.

    Attributes:
        tries: (N,) equal for tries at the same query: of those the round trip keeps one anyway.
        families: (N,) equal for a query and its paraphrases; all differ where these are compared.
    """

    tries: Rows
    families: Rows


def best_first(judged: pl.DataFrame, *before: str) -> pl.DataFrame:
    """Return the rows so that of two twins the one that stays comes first.

    Closer to the source document first, then by `query_id`.

    Args:
        judged: The rows.
        before: Columns to sort by before that.
    """
    order = [*before, "source_score", "query_id"]
    return judged.sort(order, descending=[name == "source_score" for name in order])


def kin_of(judged: pl.DataFrame, *, compare_paraphrases: bool) -> Kin:
    """Return who is not compared with whom, in the order of the rows."""
    is_original = pl.col("paraphrase_of") == ""
    family = pl.when(is_original).then("query_id").otherwise("paraphrase_of")
    codes = judged.select(
        tries=pl.col("try_of").rank("dense"),
        families=(pl.col("query_id") if compare_paraphrases else family).rank("dense"),
    ).cast(pl.Int64)
    return Kin(*(codes[name].to_numpy(writable=True) for name in Kin._fields))


def stopped_by(rows: pl.DataFrame, twin: Rows, reason: str) -> pl.DataFrame:
    """Return the rows that have a twin as a verdict; the detail is the id that stays.

    Args:
        rows: N rows.
        twin: (N,) row that stays instead, -1 for none.
        reason: Of all.
    """
    places = np.flatnonzero(twin >= 0)
    ids = rows["query_id"]
    return pl.DataFrame(
        {"query_id": ids[places], "reason": [reason] * len(places), "detail": ids[twin[places]]},
        schema={"query_id": pl.String, "reason": pl.String, "detail": pl.String},
    )
