"""Histograms and funnels as lines of a table: a label, a bar, a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data_cards.manifest import DataSetManifest


class Line(NamedTuple):
    """One line of a chart.

    Attributes:
        label: What is counted; untrusted text.
        values: One per series, as shown.
        widths: One per series, 0 to 100: length of the bar.
    """

    label: str
    values: tuple[str, ...]
    widths: tuple[float, ...]


class Chart(NamedTuple):
    """A histogram.

    Attributes:
        title: Of the chart.
        series: Names, in the order of values; [""] for one nameless series.
        lines: In order.
    """

    title: str
    series: tuple[str, ...]
    lines: tuple[Line, ...]


class StageLine(NamedTuple):
    """What one stage did to its rows.

    Attributes:
        name: Of the stage.
        unit: Counted.
        rows_in: Given to it.
        kept: Went on.
        width: 0 to 100: the share that went on.
        rejected: (reason, count), most frequent first.
    """

    name: str
    unit: str
    rows_in: int
    kept: int
    width: float
    rejected: tuple[tuple[str, int], ...]


def chart_of(histogram: Mapping[str, Any]) -> Chart:
    """Return a histogram of metrics.json as a chart; the longest bar of all series is full."""
    bars: Sequence[Mapping[str, Any]] = histogram["bars"]
    series = tuple(dict.fromkeys(str(bar["series"]) for bar in bars)) or ("",)
    labels = tuple(dict.fromkeys(str(bar["label"]) for bar in bars))
    heights = {(str(bar["label"]), str(bar["series"])): float(bar["height"]) for bar in bars}
    longest = max(heights.values(), default=0.0) or 1.0
    lines = tuple(
        Line(
            label,
            tuple(number(heights.get((label, name), 0.0)) for name in series),
            tuple(round(100 * heights.get((label, name), 0.0) / longest, 2) for name in series),
        )
        for label in labels
    )
    return Chart(str(histogram["title"]), series, lines)


def funnel_of(manifest: DataSetManifest) -> tuple[StageLine, ...]:
    """Return what each stage of a build kept and rejected, in their order."""
    return tuple(
        StageLine(
            stage.name,
            stage.unit,
            stage.rows_in,
            stage.kept,
            round(100 * stage.kept / stage.rows_in, 2) if stage.rows_in else 100.0,
            tuple(
                sorted(
                    ((reason, n) for reason, n in stage.rejected.items() if n),
                    key=lambda item: (-item[1], item[0]),
                )
            ),
        )
        for stage in manifest.stages
    )


def number(value: float) -> str:
    """Return a number for people: whole ones with thousands, others with three digits."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.3f}" if abs(value) >= 0.001 else f"{value:.2e}"


def figure_text(figure: Mapping[str, Any]) -> str:
    """Return "12.3 % (10.1 to 14.9 %, 400 of 9,000 looked at)" for a figure of metrics.json."""
    is_share = figure["unit"] == "share"
    scale, sign = (100.0, " %") if is_share else (1.0, "")
    text = _scaled(figure["value"], scale) + sign
    notes = []
    if figure["low"] is not None and figure["high"] is not None:
        ends = f"{_scaled(figure['low'], scale)} to {_scaled(figure['high'], scale)}{sign}"
        notes.append(ends)
    if figure["sample"] != figure["population"]:
        notes.append(f"{figure['sample']:,} of {figure['population']:,} looked at")
    return f"{text} ({', '.join(notes)})" if notes else text


def _scaled(value: float, scale: float) -> str:
    return f"{value * scale:,.2f}".rstrip("0").rstrip(".") if scale != 1.0 else number(value)
