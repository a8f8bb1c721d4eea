"""Equal queries over a whole run: repeated ones and ambiguous ones.

Two cases, told apart because the cure differs:

  one source document        The later ones add nothing: the smallest `query_id` stays.
  several source documents   The query is ambiguous: "American actress" stands beside 50 articles,
                             each as right as the others. As a training row it would call 49 right
                             answers wrong, and those would be mined first. No row of them stays
                             (`ambiguous="reject_all"`), or the smallest `query_id`
                             (`"keep_first"`), which suits runs that relabel the positive and judge
                             the negatives afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

import polars as pl
import pyarrow as pa

from sdg.ids import comparison_key
from sdg.part import Part
from sdg.verdicts import VERDICTS

_COLUMNS = ["query_id", "query", "query_language", "source_doc_id"]


# Before the ids, so that what stands comes first in every order.
_STANDING, _NEW = "0", "1"


class DuplicateQueriesConfig(Part):
    """What happens to equal queries of different documents.

    Attributes:
        ambiguous: "reject_all" (default, own) or "keep_first".
    """

    ambiguous: Literal["reject_all", "keep_first"] = "reject_all"


def find_duplicate_queries(
    batches: Iterable[pa.Table],
    config: DuplicateQueriesConfig | None = None,
    standing: Iterable[pa.Table] = (),
) -> pa.Table:
    """Return which queries stop because an equal one exists in the same language.

    Queries are equal if their `comparison_key` is. Memory: about 100 bytes per query (a 16-byte
    digest and two ids), not the texts.

    Args:
        batches: Tables with at least `query_id`, `query`, `query_language`, `source_doc_id`; ids
            are unique over all of them.
        config: None is the default configuration.
        standing: Queries that were accepted before and stay whatever equals them; they come before
            all others.

    Returns:
        VERDICTS, one row per stopped query of `batches`, by `query_id` ascending; reasons
        `query_of_several_documents` (detail: how many) and `duplicate_of_earlier_query` (detail:
        the id that stays). Depends neither on the order nor on the cut of the batches.
    """
    config = config or DuplicateQueriesConfig()
    frames = [
        _digests(batch.select(_COLUMNS)).with_columns(
            place=pl.format("{}{}", pl.lit(rank), "query_id")
        )
        for rank, tables in ((_STANDING, standing), (_NEW, batches))
        for batch in tables
    ]
    if not frames:
        return VERDICTS.empty_table()
    rows = pl.concat(frames).with_columns(
        first=pl.col("place").min().over("key"),
        first_of_source=pl.col("place").min().over("key", "source_doc_id"),
        num_sources=pl.col("source_doc_id").n_unique().over("key"),
    )
    is_later = pl.col("place") != pl.col("first_of_source")
    is_ambiguous = pl.col("num_sources") > 1
    if config.ambiguous == "keep_first":
        is_ambiguous &= pl.col("place") != pl.col("first")
    stopped = (
        rows.filter(pl.col("place").str.starts_with(_NEW) & (is_later | is_ambiguous))
        .select(
            "query_id",
            reason=pl.when(is_ambiguous)
            .then(pl.lit("query_of_several_documents"))
            .otherwise(pl.lit("duplicate_of_earlier_query")),
            detail=pl.when(is_ambiguous)
            .then(pl.col("num_sources").cast(pl.String))
            .otherwise(pl.col("first_of_source").str.slice(1)),
        )
        .sort("query_id")
    )
    return stopped.to_arrow().cast(VERDICTS)


def _digests(batch: pa.Table) -> pl.DataFrame:
    keys = [
        blake2b(f"{language}\n{comparison_key(query)}".encode(), digest_size=16).digest()
        for query, language in zip(
            batch["query"].to_pylist(), batch["query_language"].to_pylist(), strict=True
        )
    ]
    return pl.DataFrame(
        {
            "key": pl.Series(keys, dtype=pl.Binary),
            "query_id": pl.Series(batch["query_id"], dtype=pl.String),
            "source_doc_id": pl.Series(batch["source_doc_id"], dtype=pl.String),
        }
    )
