"""What the miners' scores say: positives against negatives, source by source."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import polars as pl

from data_cards.audit.audited_set import NEGATIVE, POSITIVE, AuditedSet
from data_cards.audit.bins import Numbers, edged_histogram, even_histogram
from data_cards.audit.measurement import (
    Breakdown,
    Figure,
    Histogram,
    Measurement,
    findings_of,
    share,
)
from data_cards.audit.metric import METRICS, AuditContext, Metric

# Upper ends of the bins of ranks; -1 is a document that no miner ranked: drawn at random.
_RANKS = (-1, 0, 4, 9, 29, 99, 999)
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@METRICS.register("scores")
class Scores(Metric):
    """Histograms of scores, margins and ranks; finds rows whose negative scores above a positive.

    The margin of a row is the score of its hardest (lowest-scoring) positive minus that of its
    highest-scoring negative of one source. Sources are shown apart, because scores of different
    miners have different scales.
    """

    title: ClassVar[str] = "Scores and margins"
    about: ClassVar[str] = (
        "A negative that scores above its positive often is a false negative; margins far from "
        "zero mean negatives that teach little."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "negative_above_positive",
        "median_margin",
        "random_negatives",
        "rank_quantile_*",
    )

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return histograms, margins and ranks; skipped without scores."""
        links = data.links.filter(pl.col("score").is_finite())
        if links.is_empty():
            return Measurement(skipped="the data set has no scores")
        margins = _margins(links).join(_languages(data), on="row", maintain_order="left")
        rows = margins.group_by("row").agg(pl.col("margin").min()).sort("row")
        above = rows.filter(pl.col("margin") < 0)
        ranks = data.links.filter((pl.col("role") == NEGATIVE) & pl.col("rank").is_not_null())
        return Measurement(
            figures=(
                share(
                    "negative_above_positive",
                    above.height,
                    rows.height,
                    label="rows with a negative that scores above a positive",
                ),
                _median("median_margin", rows["margin"]),
                *_rank_figures(ranks["rank"]),
            ),
            histograms=(
                *_histograms(links, margins),
                *((_rank_histogram(ranks),) if ranks.height else ()),
            ),
            breakdowns=(_per_language(margins),),
            findings=findings_of(
                self.name,
                "negative_above_positive",
                rows=above["row"],
                values=-above["margin"].cast(pl.Float64),
                at_most=context.max_findings,
            ),
            finding_counts={"negative_above_positive": above.height},
            notes=_notes(data, rows.height),
        )


def _languages(data: AuditedSet) -> pl.DataFrame:
    return data.rows.select("query_language").with_row_index("row").cast({"row": pl.Int32})


def _margins(links: pl.DataFrame) -> pl.DataFrame:
    """Return `row`, `source`, `margin` of every row and source of negatives; by row."""
    score = pl.col("score").cast(pl.Float64)
    positives = links.filter(pl.col("role") == POSITIVE).group_by("row").agg(positive=score.min())
    negatives = (
        links.filter(pl.col("role") == NEGATIVE)
        .group_by("row", pl.col("source").cast(pl.String))
        .agg(negative=score.max())
    )
    joined = negatives.join(positives, on="row").sort("row", "source")
    return joined.select("row", "source", margin=pl.col("positive") - pl.col("negative"))


def _histograms(links: pl.DataFrame, margins: pl.DataFrame) -> list[Histogram]:
    """Return the histogram of scores and of margins, one series per source."""
    role, score = pl.col("role"), links.filter(pl.col("role") == POSITIVE)["score"]
    series: dict[str, Numbers] = {"positive": score.cast(pl.Float64).to_numpy()}
    parts = links.filter(role == NEGATIVE).with_columns(pl.col("source").cast(pl.String))
    for (source,), part in sorted(parts.partition_by("source", as_dict=True).items()):
        series[f"negative {source}".strip()] = part["score"].cast(pl.Float64).to_numpy()
    per_source = {
        str(source): part["margin"].to_numpy()
        for (source,), part in sorted(margins.partition_by("source", as_dict=True).items())
    }
    return [
        even_histogram("scores", "Scores by miner", series),
        even_histogram("margins", "Hardest positive minus hardest negative", per_source),
    ]


def _rank_figures(ranks: pl.Series) -> list[Figure]:
    if ranks.is_empty():
        return []
    ranked = ranks.filter(ranks >= 0)
    figures = [
        share("random_negatives", len(ranks) - len(ranked), len(ranks), label="drawn at random")
    ]
    for part in _QUANTILES:
        value = ranked.quantile(part, "nearest")
        if isinstance(value, int | float):
            name = f"rank_quantile_{round(100 * part)}"
            figures.append(Figure(name, float(value), "rank", None, None, len(ranked), len(ranked)))
    return figures


def _rank_histogram(ranks: pl.DataFrame) -> Histogram:
    labels = ["random", "0"]
    labels += [f"{a + 1} to {b}" for a, b in itertools.pairwise(_RANKS[1:])]
    labels.append(f"{_RANKS[-1] + 1} and more")
    edges = [_RANKS[0] - 0.5, *(end + 0.5 for end in _RANKS), np.inf]
    named = ranks.with_columns(pl.col("source").cast(pl.String))
    series: dict[str, Numbers] = {
        str(source): part["rank"].cast(pl.Float64).to_numpy()
        for (source,), part in sorted(named.partition_by("source", as_dict=True).items())
    }
    return edged_histogram("ranks", "Ranks of negatives, from 0", series, edges, labels)


def _median(name: str, values: pl.Series) -> Figure:
    median = values.median()
    value = float(median) if isinstance(median, int | float) else 0.0
    return Figure(name, value, "score", None, None, len(values), len(values), "median margin")


def _per_language(margins: pl.DataFrame) -> Breakdown:
    margin = pl.col("margin")
    lines = (
        margins.group_by("query_language", "source")
        .agg(pl.len(), above=(margin < 0).mean().round(4), median=margin.median().round(4))
        .sort("query_language", "source")
    )
    columns = ("query language", "source", "rows", "negative above positive", "median margin")
    return Breakdown("by_language", "Margins by language and miner", columns, tuple(lines.rows()))


def _notes(data: AuditedSet, compared: int) -> tuple[str, ...]:
    left_out = data.rows.height - compared
    if not left_out:
        return ()
    return (f"{left_out} rows have no scored positive with a scored negative: not compared.",)
