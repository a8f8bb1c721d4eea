"""Where in its positive a query's words stand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.histogram import mean_figure
from data_cards.audit.measurement import Bar, Figure, Histogram, Measurement
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import Side, side_of
from sdg.words import explode_words, split_words

_TENTHS = 10


@METRICS.register("answer_position")
class AnswerPosition(Metric):
    """Measures in which tenth of the first positive the query's content words occur.

    A content word occurs in few of the sampled positives: no list of stop words, so no language
    has to be known. Every query counts the same: its matches share a weight of 1.

    Attributes:
        sample: Rows looked at; own.
        max_frequency: A word in a larger share of the sampled positives of its language carries
            no content; own.
        min_words: Shorter positives have no beginning and end to tell apart; own.
    """

    title: ClassVar[str] = "Position of the answer"
    about: ClassVar[str] = (
        "Where positives answer in their first lines only, an encoder learns to read nothing else "
        "(positional bias, arXiv 2412.15241); an even spread has a third in the first third."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "first_third_share",
        "rows_with_match_share",
    )
    sample: int = Field(default=20_000, ge=1)
    max_frequency: float = Field(default=0.1, gt=0, le=1)
    min_words: int = Field(default=10, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share in the first third and a histogram over tenths."""
        positives = _first_positives(side_of(data, "positive"))
        if not len(positives):
            return Measurement(skipped="the data set has no positives")
        drawn = positives.at(context.sample("answer_position", len(positives), self.sample))
        matches = self._matches(data, drawn)
        if matches.is_empty():
            return Measurement(skipped="no query shares a content word with its positive")
        by_row = matches.group_by("row").agg((pl.col("where") < 1 / 3).mean().alias("first"))
        return Measurement(
            figures=(
                mean_figure(
                    "first_third_share",
                    by_row.sort("row")["first"].to_numpy(),
                    len(positives),
                    "share",
                    "query's content words in the first third",
                ),
                Figure(
                    "rows_with_match_share",
                    by_row.height / len(drawn),
                    "share",
                    None,
                    None,
                    len(drawn),
                    len(positives),
                    "rows whose query shares a content word with its positive",
                ),
            ),
            histograms=(_histogram(matches),),
            notes=(
                f"A sample of up to {self.sample:,} rows; positives under {self.min_words} words "
                "are left out.",
            ),
        )

    def _matches(self, data: AuditedSet, drawn: Side) -> pl.DataFrame:
        """Return one line per match: `row` in the sample, `where` in [0, 1), `weight`."""
        queries = data.rows["query"].to_numpy()[drawn.rows]
        languages = pl.DataFrame({"language": data.rows["query_language"].gather(drawn.rows)})
        words = split_words(data.texts.take(drawn.texts))
        sizes = pl.DataFrame({"size": words.list.len()}).with_row_index("row")
        language_of = languages.with_row_index("row")
        placed = explode_words(words).join(sizes, on="row").join(language_of, on="row")
        placed = placed.filter(pl.col("size") >= self.min_words)
        seen = placed.group_by("language", "word").agg(pl.col("row").n_unique().alias("documents"))
        totals = placed.group_by("language").agg(pl.col("row").n_unique().alias("total"))
        content = seen.join(totals, on="language").filter(
            pl.col("documents") <= (self.max_frequency * pl.col("total")).clip(lower_bound=1)
        )
        asked = explode_words(split_words(data.texts.take(queries))).select("row", "word").unique()
        return (
            placed.join(asked, on=["row", "word"], how="semi")
            .join(content, on=["language", "word"], how="semi")
            .select("row", where=pl.col("position") / pl.col("size"))
            .with_columns(weight=1 / pl.len().over("row"))
            .sort("row", "where")
        )


def _first_positives(positives: Side) -> Side:
    is_first = np.ones(len(positives), bool)
    is_first[1:] = positives.rows[1:] != positives.rows[:-1]
    return positives.at(np.flatnonzero(is_first))


def _histogram(matches: pl.DataFrame) -> Histogram:
    place = (matches["where"].to_numpy() * _TENTHS).astype(np.int64)
    heights = np.bincount(place, matches["weight"].to_numpy(), _TENTHS) / matches["row"].n_unique()
    bars = (
        Bar(f"{tenth / _TENTHS:.0%} to {(tenth + 1) / _TENTHS:.0%}", height)
        for tenth, height in enumerate(heights.tolist())
    )
    return Histogram("tenths", "Where in the positive the query's words stand", tuple(bars))
