"""How long texts are, and which are empty."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Bar, Figure, Histogram, Measurement, Unit, share
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import SIDES, Side, side_of, text_findings
from data_cards.audit.text_scan import scan_texts
from sdg.words import count_words, split_words

_QUANTILES = {"p05": 0.05, "median": 0.5, "p95": 0.95, "p99": 0.99, "longest": 1.0}
# Neither white space nor a control, format or unassigned character: something to see.
_VISIBLE = r"[^\s\p{Z}\p{C}]"
# Bounds of the bars, in characters and words; own.
_CHARACTERS = (0, 1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
_WORDS = (0, 1, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)


@METRICS.register("lengths")
class Lengths(Metric):
    """Measures characters and words of each side; finds texts with nothing to see.

    Attributes:
        sample: Texts per side whose words are counted; characters of all are; own.
    """

    title: ClassVar[str] = "Lengths"
    about: ClassVar[str] = (
        "An empty text teaches nothing; a text longer than the encoder's window is cut, and what "
        "is cut is not learnt."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "empty_query_share",
        "empty_positive_share",
        "empty_negative_share",
        "query_characters_*",
        "query_words_*",
        "positive_characters_*",
        "positive_words_*",
        "negative_characters_*",
        "negative_words_*",
    )
    sample: int = Field(default=50_000, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return quantiles and histograms per side; findings `empty_text`."""
        looks = list(scan_texts(data.texts, _look, context))
        characters = np.concatenate([np.empty(0, np.int64), *(look[0] for look in looks)])
        is_empty = np.concatenate([np.empty(0, bool), *(look[1] for look in looks)])
        places = np.flatnonzero(is_empty)
        blank = pl.DataFrame(
            {"place": places, "value": 1.0 / (1 + characters[places]), "detail": ""},
            schema={"place": pl.Int64, "value": pl.Float64, "detail": pl.String},
        )
        listed, found = text_findings(self.name, "empty_text", data, blank, context.max_findings)
        figures: list[Figure] = []
        histograms: list[Histogram] = []
        for side in (side_of(data, name) for name in SIDES):
            if len(side):
                drawn = context.sample(f"lengths/{side.name}", len(side), self.sample)
                words = _count_words(data, side.texts[drawn])
                figures += _figures(side, characters[side.texts], words, is_empty[side.texts])
                histograms += _histograms(side, characters[side.texts], words)
        return Measurement(
            figures=tuple(figures),
            histograms=tuple(histograms),
            findings=listed,
            finding_counts={"empty_text": found},
            notes=(f"Words are counted in a sample of up to {self.sample:,} texts per side.",),
        )


def _look(first: int, block: pl.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    del first
    sizes = block.str.len_chars().to_numpy().astype(np.int64)
    return sizes, ~block.str.contains(_VISIBLE).to_numpy()


def _count_words(data: AuditedSet, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    distinct, inverse = np.unique(places, return_inverse=True)
    return count_words(split_words(data.texts.take(distinct)))[inverse]


def _figures(
    side: Side,
    characters: npt.NDArray[np.int64],
    words: npt.NDArray[np.int64],
    is_empty: npt.NDArray[np.bool_],
) -> list[Figure]:
    name = side.name
    figures = [
        share(f"empty_{name}_share", int(is_empty.sum()), len(side), label=f"empty {name} texts")
    ]
    measured: tuple[tuple[Unit, npt.NDArray[np.int64]], ...] = (
        ("characters", characters),
        ("words", words),
    )
    for unit, values in measured:
        for label, quantile in _QUANTILES.items():
            value = float(np.quantile(values, quantile))
            title = f"{name}: {label} {unit}"
            key = f"{name}_{unit}_{label}"
            figures.append(Figure(key, value, unit, None, None, len(values), len(side), title))
    return figures


def _histograms(
    side: Side, characters: npt.NDArray[np.int64], words: npt.NDArray[np.int64]
) -> list[Histogram]:
    return [
        Histogram(f"{side.name}_characters", f"Characters per {side.name}", _bars(characters, 0)),
        Histogram(f"{side.name}_words", f"Words per {side.name}", _bars(words, 1)),
    ]


def _bars(values: npt.NDArray[np.int64], kind: int) -> tuple[Bar, ...]:
    bounds = (_CHARACTERS, _WORDS)[kind]
    place = np.searchsorted(np.array(bounds), values, side="right") - 1
    counts = np.bincount(place, minlength=len(bounds)).tolist()
    labels = ["0", *(f"{low} to {high - 1}" for low, high in itertools.pairwise(bounds[1:]))]
    return tuple(
        Bar(label, float(height))
        for label, height in zip([*labels, f"{bounds[-1]} or more"], counts, strict=True)
    )
