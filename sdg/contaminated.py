"""Documents and queries that an evaluation set holds: verdicts at the level of source documents."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from sdg.decontaminate import BlockList
from sdg.verdicts import VERDICTS

# What one document may have in common with a blocked one: then it is of the same source.
KIN = ("parent_id", "group_id")
DOCUMENT_COLUMNS = ["doc_id", "text", "source_key", *KIN]

_FOUND = {"doc_id": pl.String, "reason": pl.String, "detail": pl.String}


def find_contaminated_documents(documents: Iterable[pa.Table], blocked: BlockList) -> pl.DataFrame:
    """Return the documents that must not be trained on.

    These are the documents with a text or an id of an evaluation set, and all that share their
    parent or group: a query written for another chunk of a test passage leaks it as well.

    Args:
        documents: Batches with DOCUMENT_COLUMNS; nulls are unknown.
        blocked: What is blocked.

    Returns:
        `doc_id`, `reason`, `detail`, in the order of the documents; each document once.
    """
    hits, kin = [pl.DataFrame(schema=_FOUND)], list[pl.DataFrame]()
    for batch in documents:
        frame = pl.DataFrame(pl.from_arrow(batch.select(DOCUMENT_COLUMNS)))
        frame = frame.with_columns(pl.all().fill_null(""))
        kin.append(frame.select("doc_id", *KIN))
        hits.append(_hits(frame, blocked))
    found = pl.concat(hits).unique("doc_id", keep="first", maintain_order=True)
    if found.is_empty():
        return found
    every = pl.concat(kin)
    related = [found, *(_related(every, found, column) for column in KIN)]
    first = pl.concat(related).unique("doc_id", keep="first", maintain_order=True)
    return every.select("doc_id").join(first, on="doc_id", maintain_order="left")


def find_contaminated_queries(queries: pa.Table, blocked: BlockList) -> pa.Table:
    """Return VERDICTS on the queries that an evaluation set holds.

    Args:
        queries: With columns `query_id` and `query`.
        blocked: What is blocked.
    """
    matches = blocked.described(blocked.match(queries["query"]))
    first = matches.unique("text", keep="first", maintain_order=True)
    ids = pl.Series("query_id", queries["query_id"], dtype=pl.String)
    verdicts = first.select(
        query_id=ids.gather(first["text"]),
        reason=pl.format("in_evaluation_set_{}", "slug"),
        detail="detail",
    )
    return verdicts.to_arrow().cast(VERDICTS)


def _hits(frame: pl.DataFrame, blocked: BlockList) -> pl.DataFrame:
    matches = blocked.described(blocked.match(frame["text"]))
    first = matches.unique("text", keep="first", maintain_order=True)
    by_text = first.select(
        doc_id=frame["doc_id"].gather(first["text"]),
        reason=pl.format("in_evaluation_set_{}", "slug"),
        detail="detail",
    )
    ids = blocked.blocked_ids()
    by_id = [
        frame.select("doc_id", id=column)
        .join(ids, on="id", maintain_order="left")
        .select("doc_id", reason=pl.format("in_evaluation_set_{}", "slug"), detail="id")
        for column in ("doc_id", "source_key", "parent_id")
    ]
    return pl.concat([by_text, *by_id])


def _related(every: pl.DataFrame, found: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the documents with the value in `column` of one that was found."""
    kin = found.join(every, on="doc_id", maintain_order="left").filter(pl.col(column) != "")
    kin = kin.unique(column, keep="first", maintain_order=True)
    source = pl.format("source_{}", "reason")
    detail = pl.format("{} of a document that matched: {}", pl.lit(column), "detail")
    return (
        every.select("doc_id", column)
        .join(kin.select(column, reason=source, detail=detail), on=column, maintain_order="left")
        .select("doc_id", "reason", "detail")
    )
