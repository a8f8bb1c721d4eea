"""What a metric says: figures with their sample, and the rows that it objects to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import polars as pl

from sdg.errors import ContractError
from sdg.rate import rate

Unit = Literal["share", "count", "score", "characters", "words", "rank", "bits", ""]

FINDINGS: dict[str, Any] = {
    "metric": pl.String,
    "reason": pl.String,  # snake_case, states what is true of the row
    "row": pl.Int32,  # place in `AuditedSet.rows`; -1 if it is about a document alone
    "document": pl.Int32,  # place in `AuditedSet.documents`; -1 if it is about the row or query
    "value": pl.Float64,  # how bad, in the metric's own scale, higher is worse
    "detail": pl.String,  # for people: what was found; untrusted text
}


class Figure(NamedTuple):
    """One number of a metric.

    Attributes:
        name: snake_case, unique in its metric; gates refer to `<metric>.<name>`.
        value: The number; of a sample, the estimate.
        unit: Of the number; "share" is a fraction in [0, 1].
        low: Lower end of the 95 % interval, if it was estimated from a sample; else None.
        high: Upper end.
        sample: How many were looked at.
        population: How many there are; equal to `sample` if all were looked at.
        label: What it is, in a few words for people.
    """

    name: str
    value: float
    unit: Unit
    low: float | None
    high: float | None
    sample: int
    population: int
    label: str = ""


class Bar(NamedTuple):
    """One bar of a histogram.

    Attributes:
        label: Of the bar: "0.1 to 0.2", "eng-Latn".
        height: A count or a share.
        series: What it belongs to where a histogram compares several: "positive", "negative".
    """

    label: str
    height: float
    series: str = ""


class Histogram(NamedTuple):
    """Counts per bin, in the order in which they are shown.

    Attributes:
        name: snake_case, unique in its metric.
        title: For people.
        bars: In order; all series have the same labels.
    """

    name: str
    title: str
    bars: tuple[Bar, ...]


class Breakdown(NamedTuple):
    """A table of a metric: one line per language or task.

    Attributes:
        name: snake_case, unique in its metric.
        title: For people.
        columns: Heads.
        lines: Cells, as long as `columns`; strings are untrusted text.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The result of one metric.

    Attributes:
        figures: In the order in which they are shown; empty if `skipped`.
        histograms: For plots.
        breakdowns: For tables.
        findings: Schema FINDINGS, worst first within a reason; at most as many per reason as the
            context allows. The number of all is in `finding_counts`.
        finding_counts: Reason -> all there are, whether or not listed; of a sample, in the sample.
        notes: What a reader must know: sampled, what was not looked at.
        skipped: Why nothing was measured ("the data set has no negatives"); "" if it was.
    """

    figures: tuple[Figure, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    breakdowns: tuple[Breakdown, ...] = ()
    findings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDINGS))
    finding_counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: str = ""

    def __post_init__(self) -> None:
        names = [figure.name for figure in self.figures]
        names += [histogram.name for histogram in self.histograms]
        names += [breakdown.name for breakdown in self.breakdowns]
        if len(set(names)) != len(names):
            raise ContractError(
                f"Names in a measurement must be unique, but are {names} instead. Rename one."
            )
        if dict(self.findings.schema) != FINDINGS:
            raise ContractError(
                f"Findings must have the columns {list(FINDINGS)}, but have "
                f"{dict(self.findings.schema)} instead. Build them with `findings_of`."
            )

    def figure(self, name: str) -> Figure:
        """Return the figure called `name`.

        Raises:
            KeyError: If there is none.
        """
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)


def share(
    name: str, part: int, sample: int, population: int | None = None, label: str = ""
) -> Figure:
    """Return the figure of `part` among `sample`, with its Wilson interval if it was sampled.

    Args:
        name: Of the figure.
        part: How many of the sample have the property.
        sample: How many were looked at.
        population: How many there are; None if all were looked at, which needs no interval.
        label: For people.
    """
    value = part / sample if sample else 0.0
    if population is None or population == sample:
        return Figure(name, value, "share", None, None, sample, sample, label)
    found = rate(part, sample)
    return Figure(name, value, "share", found.low, found.high, sample, population, label)


def count(name: str, value: int, population: int, label: str = "") -> Figure:
    """Return the figure of a whole number counted over everything."""
    return Figure(name, float(value), "count", None, None, population, population, label)


def findings_of(
    metric: str,
    reason: str,
    *,
    rows: Sequence[int] | pl.Series | None = None,
    documents: Sequence[int] | pl.Series | None = None,
    values: Sequence[float] | pl.Series | None = None,
    details: Sequence[str] | pl.Series | None = None,
    at_most: int,
) -> pl.DataFrame:
    """Return findings of one reason, highest value first, ties by row and document; then cut.

    Args:
        metric: Name of the metric.
        reason: What is true of them.
        rows: Places of rows; None if they are about documents alone.
        documents: Places of documents; None if they are about rows alone.
        values: How bad; None is 1 for all.
        details: For people; None is "".
        at_most: Findings kept.
    """
    given = {"row": rows, "document": documents, "value": values, "detail": details}
    size = max((len(v) for v in given.values() if v is not None), default=0)
    blank: dict[str, Any] = {"row": -1, "document": -1, "value": 1.0, "detail": ""}
    columns: dict[str, Any] = {
        name: pl.Series(name, value, dtype=FINDINGS[name], strict=False)
        if value is not None
        else pl.Series(name, [blank[name]], dtype=FINDINGS[name]).new_from_index(0, size)
        for name, value in given.items()
    }
    frame = pl.DataFrame(columns).sort(
        "value", "row", "document", "detail", descending=[True, False, False, False]
    )
    frame = frame.head(at_most)
    return frame.select(pl.lit(metric).alias("metric"), pl.lit(reason).alias("reason"), *columns)
