"""Whether texts are in the language they are said to be in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import (
    Bar,
    Breakdown,
    Figure,
    Histogram,
    Measurement,
    findings_of,
)
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.sides import SIDES, Side, declared_languages, side_of
from sdg.errors import ConfigError
from sdg.language import UNDETERMINED, identify_languages, language_tag, verify_languages
from sdg.rate import rate

# Confidence in another language from which on it is sure; own.
_SURE = 0.5
_FEWEST = 2  # languages that the detector can choose among


@METRICS.register("languages")
class Languages(Metric):
    """Detects the language of a sample of each side and holds it against the declared one.

    Short texts are hard: over all the detector's languages one right query in nine is taken for
    another. So the detector looks twice (`sdg.language.verify_languages`) and chooses among the
    declared languages and those that it sees often; only a text that it surely takes for one of
    the others is held against all. Measured on 1,500 short descriptions of encyclopaedia articles
    in three languages: 0.2 % of right ones are called wrong, and 93 % of those in a wrong one of
    the three are found; of the articles themselves 0 % and 99 %.

    Attributes:
        sample: Texts per side; own.
        max_confidence: A text is in another language if the detector's confidence in the declared
            one is below this, in [0, 1]; own, see above.
        stranger_confidence: The same bound for a text that seems to be in a language that
            nobody declares, over all languages; own: 0.1 % of right descriptions are below it.
        min_share: A language that nobody declares is chosen among if this share of a sample is
            detected as it; own.
    """

    title: ClassVar[str] = "Languages"
    about: ClassVar[str] = (
        "Texts in another language than declared teach the wrong pairs and spoil balance between "
        "languages; a few per mille are the detector's own errors."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "query_wrong_language_share",
        "positive_wrong_language_share",
        "negative_wrong_language_share",
    )
    sample: int = Field(default=3000, ge=1)
    max_confidence: float = Field(default=0.2, ge=0, le=1)
    stranger_confidence: float = Field(default=0.05, ge=0, le=1)
    min_share: float = Field(default=0.1, gt=0, le=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return `wrong_language_share` per side, or the detected mix where none is declared."""
        if data.rows.is_empty():
            return Measurement(skipped="the data set has no rows")
        drawn = []
        for name in SIDES:
            side = side_of(data, name)
            if len(side):
                places = context.sample(f"languages/{name}", len(side), self.sample)
                drawn.append(_drawn(data, side.at(places), len(side)))
                context.report(len(drawn), 2 * len(SIDES))
        among = self._among(drawn)
        looks = [self._judged(one, among) for one in drawn]
        findings = pl.concat([self._findings(look, context) for look in looks])
        lines = tuple(line for look in looks for line in _lines(look))
        wrong = {f"{one.side.name}_in_another_language": int(one.wrong.sum()) for one in looks}
        return Measurement(
            figures=tuple(figure for look in looks for figure in _figures(look)),
            histograms=tuple(_mix(look) for look in looks),
            breakdowns=(
                Breakdown(
                    "declared",
                    "Declared languages",
                    ("side", "declared", "looked at", "in another language"),
                    lines,
                ),
            ),
            findings=findings,
            finding_counts=wrong,
            notes=_notes(looks, self.sample),
        )

    def _among(self, drawn: Sequence[_Drawn]) -> tuple[str, ...]:
        """Return the languages to choose among: declared, or seen often enough on a side."""
        chosen = {tag for one in drawn for tag in one.declared if _is_known(tag)}
        for one in drawn:
            seen = pl.Series(one.detected).value_counts()
            often = seen.filter(pl.col("count") >= self.min_share * len(one.detected))
            chosen |= {tag for tag in often.to_series() if _is_known(tag)}
        return tuple(sorted({tag.partition("-")[0] for tag in chosen}))

    def _judged(self, one: _Drawn, among: tuple[str, ...]) -> _Judged:
        if not any(one.declared):
            return _Judged(**one._asdict(), wrong=np.zeros(len(one.side), bool), sure=np.ones(0))
        chosen = among if len(among) >= _FEWEST else ()
        looks = verify_languages(one.texts, one.declared, among=chosen)
        sure = np.array([look.claimed_score for look in looks])
        # NaN, an unknown language, compares False.
        wrong = (sure < self.max_confidence) & np.array([tag != "" for tag in one.declared])
        wrong |= self._strangers(one, chosen)
        has_letters = np.array([tag != UNDETERMINED for tag in one.detected])
        return _Judged(**one._asdict(), wrong=wrong & has_letters, sure=sure)

    def _strangers(self, one: _Drawn, among: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        """Return (S,) whether each text is surely in a language that is not chosen among."""
        wrong = np.zeros(len(one.texts), bool)
        suspects = [
            place
            for place, (tag, declared) in enumerate(zip(one.detected, one.declared, strict=True))
            if declared and tag != UNDETERMINED and tag.partition("-")[0] not in among
        ]
        looks = verify_languages(
            [one.texts[place] for place in suspects], [one.declared[place] for place in suspects]
        )
        wrong[suspects] = [
            look.claimed_score < self.stranger_confidence and look.detected.score > _SURE
            for look in looks
        ]
        return wrong

    def _findings(self, look: _Judged, context: AuditContext) -> pl.DataFrame:
        places = np.flatnonzero(look.wrong)
        return findings_of(
            self.name,
            f"{look.side.name}_in_another_language",
            rows=pl.Series(look.side.rows[places]),
            documents=pl.Series(look.side.documents[places]),
            values=pl.Series(1 - look.sure[places]),
            details=[
                f"declared {look.declared[place]}, detected {look.detected[place]}"
                for place in places.tolist()
            ],
            at_most=context.max_findings,
        )


class _Drawn(NamedTuple):
    """A sample of one side: S texts, what is declared and what is detected."""

    side: Side
    population: int
    texts: list[str]
    declared: list[str]
    detected: list[str]


class _Judged(NamedTuple):
    """A sample with (S,) whether each text is in another language, and how sure the declared is."""

    side: Side
    population: int
    texts: list[str]
    declared: list[str]
    detected: list[str]
    wrong: npt.NDArray[np.bool_]
    sure: npt.NDArray[np.float64]


def _drawn(data: AuditedSet, side: Side, population: int) -> _Drawn:
    texts = data.texts.take(side.texts).to_pylist()
    declared = [_full_tag(tag) for tag in declared_languages(data, side).to_list()]
    detected = [look.language for look in identify_languages(texts)]
    return _Drawn(side, population, texts, declared, detected)


def _full_tag(tag: str) -> str:
    try:
        return language_tag(tag) if tag else ""
    except ConfigError:
        # A tag in no known form claims nothing that could be checked; the breakdown shows it.
        return tag


def _is_known(tag: str) -> bool:
    try:
        return tag != UNDETERMINED and bool(tag) and _two_letters(tag)
    except ConfigError:
        return False


def _two_letters(tag: str) -> bool:
    from sdg.language import two_letter_code

    return two_letter_code(tag) != ""


def _figures(look: _Judged) -> list[Figure]:
    """Return the share with an interval even if all were looked at: the detector errs."""
    name, checked = look.side.name, int(np.isfinite(look.sure).sum()) if len(look.sure) else 0
    if not checked:
        return []
    found = rate(int(look.wrong.sum()), checked)
    return [
        Figure(
            f"{name}_wrong_language_share",
            found.part / checked,
            "share",
            found.low,
            found.high,
            checked,
            look.population,
            f"{name} texts in another language than declared",
        )
    ]


def _lines(look: _Judged) -> list[tuple[str | int | float, ...]]:
    counted = (
        pl.DataFrame({"declared": look.declared, "wrong": look.wrong})
        .group_by("declared")
        .agg(pl.len(), pl.col("wrong").sum())
        .sort("declared")
    )
    return [(look.side.name, tag or "(none)", n, wrong) for tag, n, wrong in counted.iter_rows()]


def _mix(look: _Judged) -> Histogram:
    counted = (
        pl.Series("tag", look.detected)
        .value_counts()
        .sort("count", "tag", descending=[True, False])
    )
    bars = tuple(Bar(tag, float(n)) for tag, n in counted.iter_rows())
    return Histogram(f"{look.side.name}_detected", f"Detected languages: {look.side.name}", bars)


def _notes(looks: Sequence[_Judged], sample: int) -> tuple[str, ...]:
    notes = [
        f"A sample of up to {sample:,} texts per side. Up to 1 % of short right texts are taken "
        "for another language."
    ]
    bare = [look.side.name for look in looks if not any(look.declared)]
    if bare:
        notes.append(f"No language is declared for: {', '.join(bare)}; the detected mix is shown.")
    return tuple(notes)
