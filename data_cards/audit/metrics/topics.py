"""Which topics of the corpus the queries are about."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from data_cards.audit.audited_set import POSITIVE, AuditedSet
from data_cards.audit.measurement import Bar, Breakdown, Figure, Histogram, Measurement
from data_cards.audit.metric import METRICS, AuditContext, Metric


@METRICS.register("topics")
class Topics(Metric):
    """Compares the topics of all documents with those of the positives."""

    title: ClassVar[str] = "Topics"
    about: ClassVar[str] = (
        "A distance of 0 means that queries ask about the corpus in proportion; 1 that they ask "
        "about other topics altogether. Topics without a positive are not trained on."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "total_variation",
        "covered_topic_share",
    )

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:  # noqa: ARG002
        """Return the total-variation distance and the share of topics that have a positive."""
        known = data.documents.with_row_index("document").filter(pl.col("topic") != "")
        if known.is_empty():
            return Measurement(skipped="the data set has no topics")
        table = _table(data, known)
        corpus, asked = (table[name] / max(table[name].sum(), 1) for name in ("corpus", "asked"))
        distance = float((corpus - asked).abs().sum()) / 2
        covered = int((table["asked"] > 0).sum())
        positives = int(table["asked"].sum())
        missing = data.documents.height - known.height
        return Measurement(
            figures=(
                Figure(
                    "total_variation",
                    distance if positives else 1.0,
                    "share",
                    None,
                    None,
                    positives,
                    positives,
                    "distance between topics of the corpus and of positives",
                ),
                Figure(
                    "covered_topic_share",
                    covered / table.height,
                    "share",
                    None,
                    None,
                    table.height,
                    table.height,
                    "topics with at least one positive",
                ),
            ),
            histograms=(_histogram(table["topic"], corpus, asked),),
            breakdowns=(
                Breakdown(
                    "topics",
                    "Documents and positives per topic",
                    ("topic", "documents", "positives"),
                    tuple(table.rows()),
                ),
            ),
            notes=(f"{missing:,} documents have no topic.",) if missing else (),
        )


def _table(data: AuditedSet, known: pl.DataFrame) -> pl.DataFrame:
    """Return one line per topic, most frequent first: `topic`, `corpus`, `asked`."""
    positives = data.links.filter(pl.col("role") == POSITIVE).select("document")
    asked = positives.join(
        known.select(pl.col("document").cast(pl.Int32), "topic"), on="document", how="inner"
    )
    return (
        known.group_by("topic")
        .agg(corpus=pl.len())
        .join(asked.group_by("topic").agg(asked=pl.len()), on="topic", how="left")
        .with_columns(pl.col("corpus").cast(pl.Int64), pl.col("asked").fill_null(0).cast(pl.Int64))
        .sort("corpus", "topic", descending=[True, False])
    )


def _histogram(topics: pl.Series, corpus: pl.Series, asked: pl.Series) -> Histogram:
    bars = [
        Bar(topic, height, series)
        for series, heights in (("documents", corpus), ("positives", asked))
        for topic, height in zip(topics.to_list(), heights.to_list(), strict=True)
    ]
    return Histogram("topic_shares", "Share of documents and of positives per topic", tuple(bars))
