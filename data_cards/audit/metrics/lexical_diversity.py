"""How different the queries of a task and language are from each other, word by word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Breakdown, Figure, Measurement
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import Places
from data_cards.audit.word_runs import distinct_share, self_bleu
from sdg.words import split_words

_RUNS = (1, 2, 3)
_OPENING_WORDS = 3


@METRICS.register("lexical_diversity")
class LexicalDiversity(Metric):
    """Measures distinct-n and self-BLEU on equal samples per task and language, and openings.

    Both depend on the number of queries, so every cell with enough of them is measured on exactly
    `sample` queries; smaller cells are measured whole and are not comparable. The figures are the
    mean over cells, weighted by their rows.

    Attributes:
        sample: Queries per cell; own.
        openings: Queries per cell whose first three words are counted; own.
        most_openings: Openings listed per cell; own.

    Reference: distinct-n, Li et al. 2016, arXiv 1510.03055; self-BLEU, Zhu et al. 2018, Texygen,
    arXiv 1802.01886.
    """

    title: ClassVar[str] = "Diversity of wording"
    about: ClassVar[str] = (
        "Low distinct-n and high self-BLEU mean that queries repeat one pattern, and an encoder "
        "learns the pattern; compare with queries that people wrote, on samples of equal size."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "distinct_*",
        "self_bleu",
        "top_opening_share",
    )
    sample: int = Field(default=1000, ge=2)
    openings: int = Field(default=20_000, ge=1)
    most_openings: int = Field(default=10, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return distinct-1, -2, -3, self-BLEU and the share of the most frequent opening."""
        cells, openings, weights = [], [], []
        values: list[list[float]] = []
        for task, language, rows in _cells(data):
            drawn = rows[context.sample(f"diversity/{task}/{language}", len(rows), self.sample)]
            words = _words(data, drawn)
            scores = [distinct_share(words, n) for n in _RUNS] + [self_bleu(words)]
            many = context.sample(f"openings/{task}/{language}", len(rows), self.openings)
            counted = _openings(_words(data, rows[many]))
            top = counted["count"].to_list()[0] / len(many) if counted.height else 0.0
            lines = counted.head(self.most_openings).iter_rows()
            openings += [(task, language, text, n, n / len(many)) for text, n in lines]
            cells.append((task, language, len(rows), len(drawn), *scores, top))
            values.append([*scores, top])
            weights.append(len(rows))
        if not cells:
            return Measurement(skipped="the data set has no rows")
        means = np.average(np.array(values), axis=0, weights=np.array(weights))
        looked = sum(int(cell[3]) for cell in cells)
        return Measurement(
            figures=tuple(
                Figure(name, float(mean), "share", None, None, looked, data.rows.height, label)
                for (name, label), mean in zip(_FIGURES.items(), means, strict=True)
            ),
            breakdowns=(
                Breakdown("cells", "Diversity per task and language", _COLUMNS, tuple(cells)),
                Breakdown("openings", "Most frequent first words", _OPENINGS, tuple(openings)),
            ),
            notes=(
                f"Up to {self.sample:,} queries per task and language; cells with fewer are not "
                "comparable. No interval: distinct-n and self-BLEU depend on the sample's size.",
            ),
        )


_FIGURES = {
    **{f"distinct_{n}": f"different among all runs of {n} words" for n in _RUNS},
    "self_bleu": "likeness of a query to the others (BLEU-4)",
    "top_opening_share": "queries that begin with the most frequent three words",
}
_COLUMNS = ("task", "language", "rows", "sample", *_FIGURES)
_OPENINGS = ("task", "language", "first words", "queries", "share")


def _cells(data: AuditedSet) -> Iterator[tuple[str, str, Places]]:
    rows = data.rows.select("task", "query_language").with_row_index("row")
    grouped = rows.group_by("task", "query_language").agg("row").sort("task", "query_language")
    for task, language, places in grouped.iter_rows():
        yield task, language, np.array(places, np.int64)


def _words(data: AuditedSet, rows: Places) -> pl.Series:
    queries: npt.NDArray[np.int32] = data.rows["query"].to_numpy()
    return split_words(data.texts.take(queries[rows]))


def _openings(words: pl.Series) -> pl.DataFrame:
    """Return how many queries begin with the same words, most frequent first."""
    first = words.filter(words.list.len() > 0).list.head(_OPENING_WORDS).list.join(" ")
    return first.alias("opening").value_counts().sort("count", "opening", descending=[True, False])
