"""Exact duplicates: queries, documents and pairs, contradictions, and what splits share."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import polars as pl

from data_cards.audit.audited_set import NEGATIVE, POSITIVE, AuditedSet
from data_cards.audit.folding import folded_keys
from data_cards.audit.held_out import is_held_out, spanning
from data_cards.audit.measurement import Measurement, count, findings_of, share
from data_cards.audit.metric import METRICS, AuditContext, Metric


@METRICS.register("duplicates")
class Duplicates(Metric):
    """Counts texts that repeat another one, case, punctuation and spaces aside.

    A query, pair or document is a duplicate if an equal one stands before it: of three equal ones
    two are. A row is held out if it is in any split but the training split.
    """

    title: ClassVar[str] = "Exact duplicates"
    about: ClassVar[str] = (
        "Duplicates weigh more than others; a document that is positive and negative of one query "
        "contradicts itself; what a held-out split shares with another makes its figures too good."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "duplicate_query_share",
        "duplicate_pair_share",
        "duplicate_document_share",
        "contradictory_negative_share",
        "held_out_query_share",
        "held_out_positive_share",
        "held_out_group_share",
        "groups_across_splits",
    )

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return shares of duplicates; everything is looked at."""
        tables = _tables(data, context)
        found = [*_repeats(tables), _contradictions(tables), *_leaks(tables)]
        groups = spanning(tables.rows.filter(pl.col("group_id") != ""), "group_id")
        total = tables.rows.filter(pl.col("group_id") != "")["group_id"].n_unique()
        lonely = data.rows["split"].n_unique() < 2
        return Measurement(
            figures=(
                *(
                    share(f"{one.figure}", one.found.height, one.all, label=one.label)
                    for one in found
                ),
                count(
                    "groups_across_splits",
                    groups["group_id"].n_unique(),
                    total,
                    "groups with rows in more than one split",
                ),
            ),
            findings=pl.concat(self._findings(one, context) for one in found),
            finding_counts={one.reason: one.found.height for one in found},
            notes=("There is one split only: nothing is held out.",) if lonely else (),
        )

    def _findings(self, one: _Found, context: AuditContext) -> pl.DataFrame:
        found = one.found
        return findings_of(
            self.name,
            one.reason,
            rows=found["row"] if "row" in found.columns else None,
            documents=found["document"] if "document" in found.columns else None,
            details=found["detail"] if "detail" in found.columns else None,
            at_most=context.max_findings,
        )


class _Tables(NamedTuple):
    """What is compared.

    Attributes:
        rows: `row`, `query_id`, `split`, `is_held_out`, `group_id`, `query` (a key).
        links: `row`, `document`, `role`, `split`, `is_held_out`, `query`, `text` (keys).
        documents: `document`, `doc_id`, `text` (a key).
    """

    rows: pl.DataFrame
    links: pl.DataFrame
    documents: pl.DataFrame


class _Found(NamedTuple):
    """Lines that share a property, among `all`."""

    figure: str
    reason: str
    label: str
    found: pl.DataFrame
    all: int


def _tables(data: AuditedSet, context: AuditContext) -> _Tables:
    keys = pl.Series("key", folded_keys(data.texts, context))
    rows = data.rows.select(
        pl.int_range(pl.len(), dtype=pl.Int32).alias("row"),
        "query_id",
        "split",
        "group_id",
        query=keys.gather(data.rows["query"]),
        is_held_out=is_held_out(data),
    )
    documents = data.documents.select(
        pl.int_range(pl.len(), dtype=pl.Int32).alias("document"),
        "doc_id",
        text=keys.gather(data.documents["text"]),
    )
    at = data.links["row"]
    links = data.links.select(
        "row",
        "document",
        "role",
        *(rows[name].gather(at) for name in ("split", "is_held_out", "query")),
        text=documents["text"].gather(data.links["document"]),
    )
    return _Tables(rows, links, documents)


def _repeats(tables: _Tables) -> list[_Found]:
    positives = tables.links.filter(pl.col("role") == POSITIVE)
    first_row = pl.col("query_id").first().over("query")
    first_document = pl.col("doc_id").first().over("text")
    return [
        _Found(
            "duplicate_query_share",
            "duplicate_query",
            "rows whose query is in an earlier row",
            tables.rows.with_columns(detail="same as query " + first_row).filter(
                ~pl.col("query").is_first_distinct()
            ),
            tables.rows.height,
        ),
        _Found(
            "duplicate_pair_share",
            "duplicate_pair",
            "positives that repeat query and positive of an earlier row",
            positives.filter(~pl.struct("query", "text").is_first_distinct()),
            positives.height,
        ),
        _Found(
            "duplicate_document_share",
            "duplicate_document",
            "documents with the text of an earlier one",
            tables.documents.with_columns(detail="same as document " + first_document).filter(
                ~pl.col("text").is_first_distinct()
            ),
            tables.documents.height,
        ),
    ]


def _contradictions(tables: _Tables) -> _Found:
    positives = tables.links.filter(pl.col("role") == POSITIVE)
    negatives = tables.links.filter(pl.col("role") == NEGATIVE)
    return _Found(
        "contradictory_negative_share",
        "negative_is_positive_of_the_query",
        "negatives that are a positive of an equal query",
        negatives.join(positives, on=["query", "text"], how="semi", maintain_order="left"),
        negatives.height,
    )


def _leaks(tables: _Tables) -> list[_Found]:
    positives = tables.links.filter(pl.col("role") == POSITIVE)
    held_out = pl.col("is_held_out")
    rows = int(tables.rows["is_held_out"].sum())
    return [
        _Found(
            "held_out_query_share",
            "query_in_other_split",
            "held-out rows whose query is in another split",
            spanning(tables.rows, "query").filter(held_out),
            rows,
        ),
        _Found(
            "held_out_positive_share",
            "positive_in_other_split",
            "held-out rows with a positive that is a positive of another split",
            spanning(positives, "text").filter(held_out).unique("row", maintain_order=True),
            rows,
        ),
        _Found(
            "held_out_group_share",
            "group_in_other_split",
            "held-out rows whose group has rows in another split",
            spanning(tables.rows.filter(pl.col("group_id") != ""), "group_id").filter(held_out),
            rows,
        ),
    ]
