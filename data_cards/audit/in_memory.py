"""A small data set opened from tables in memory."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from data_cards.audit.audited_set import (
    DOCUMENTS,
    LINKS,
    NEGATIVE,
    POSITIVE,
    ROWS,
    AuditedSet,
    Texts,
)
from data_cards.manifest import DataSetManifest


def audited_examples(
    examples: pa.Table,
    corpus: pa.Table | None = None,
    *,
    name: str = "in memory",
    manifest: DataSetManifest | None = None,
) -> AuditedSet:
    """Return rows of the schema EXAMPLES as an audited set; everything is held in memory.

    A document has the text of its first occurrence in the rows.

    Args:
        examples: Schema EXAMPLES.
        corpus: Columns `doc_id`, `text` and, if there, `language`, `topic`, `entity_key`,
            `group_id`, `parent_id`; None: the documents of the rows are all there are.
        name: For people.
        manifest: Of the data set.
    """
    rows = pl.DataFrame(pl.from_arrow(examples)).with_row_index("row")
    rows = rows.with_columns(pl.col("row").cast(pl.Int32))
    links = pl.concat(
        [_links_of(rows, "positive", POSITIVE), _links_of(rows, "negative", NEGATIVE)]
    ).sort("row", "role", "place")
    documents = links.select("doc_id", "text", "language").unique("doc_id", maintain_order=True)
    if corpus is not None:
        documents = _with_corpus(documents, pl.DataFrame(pl.from_arrow(corpus)))
    texts = pl.concat([rows["query"], documents["text"]]).unique(maintain_order=True)
    places = pl.DataFrame({"text": texts}).with_row_index("place_of_text")
    documents = _located(documents, places, "text")
    rows = _located(rows, places, "query")
    index = documents.select("doc_id").with_row_index("document")
    links = links.drop("text", "language").join(
        index, on="doc_id", how="left", maintain_order="left"
    )
    provenance = pl.col("provenance").struct
    rows = rows.with_columns(
        generator=provenance.field("generator"),
        original_positive=pl.when(provenance.field("positive_was_relabelled"))
        .then(provenance.field("original_positive_id"))
        .otherwise(pl.lit("")),
    )
    return AuditedSet(
        name=name,
        layout="pairmill",
        rows=_cast(rows, ROWS),
        links=_cast(links, LINKS),
        documents=_cast(documents, DOCUMENTS),
        texts=Texts(pa.chunked_array([texts.to_arrow().cast(pa.large_string())])),
        manifest=manifest,
    )


def _links_of(rows: pl.DataFrame, side: str, role: int) -> pl.DataFrame:
    ids = pl.col(f"{side}_ids")
    num_positives = pl.col("positive_ids").list.len()
    grades = pl.col("relevance")
    lists = {
        "doc_id": ids,
        "text": pl.col(f"{side}s"),
        "language": pl.col(f"{side}_languages"),
        "score": pl.col(f"{side}_scores"),
        "grade": grades.list.slice(0, num_positives)
        if role == POSITIVE
        else grades.list.slice(num_positives),
        "place": pl.int_ranges(0, ids.list.len(), dtype=pl.Int32),
    }
    if role == NEGATIVE:
        lists |= {"rank": pl.col("negative_ranks"), "source": pl.col("negative_sources")}
    flat = rows.filter(ids.list.len() > 0).select("row", **lists).explode(list(lists))
    if role == POSITIVE:
        flat = flat.with_columns(rank=pl.lit(None, pl.Int32), source=pl.lit(""))
    return flat.select(
        "row",
        "doc_id",
        "text",
        "language",
        "place",
        "rank",
        "source",
        "grade",
        score=pl.col("score").fill_nan(None),
        role=pl.lit(role, pl.Int8),
    )


def _with_corpus(documents: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    wanted = [c for c in DOCUMENTS if c in corpus.columns and c != "text"]
    known = documents.drop("language").join(
        corpus.select(wanted), on="doc_id", how="left", maintain_order="left"
    )
    others = corpus.join(documents, on="doc_id", how="anti").select([*wanted, "text"])
    return pl.concat([known, others.select(known.columns)])


def _located(frame: pl.DataFrame, places: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return `frame` with the texts of `column` replaced by their places."""
    joined = frame.join(places, left_on=column, right_on="text", how="left", maintain_order="left")
    return joined.drop(column).rename({"place_of_text": column})


def _cast(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    """Return the columns of `schema`; strings that are not there are blank."""
    return frame.select(_column(frame, name, kind) for name, kind in schema.items())


def _column(frame: pl.DataFrame, name: str, kind: Any) -> pl.Expr:  # noqa: ANN401 - a data type
    if kind not in (pl.String, pl.Categorical):
        return pl.col(name).cast(kind)
    text = pl.col(name) if name in frame.columns else pl.lit("").alias(name)
    return text.cast(pl.String).fill_null("").cast(kind)
