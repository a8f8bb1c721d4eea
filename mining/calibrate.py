"""Thresholds of score rules per language, from a sample of queries.

The published numbers hold for their miner: 0.95 for e5-mistral, English; 0.90 for another miner on
16 languages. Cosines of another encoder, or of a language it saw little of, lie closer together or
further apart, so the same number drops another share of candidates. What carries over is the share:
each language gets the loosest threshold that drops as much as is asked for. Asked for is one of

- a share of the candidates: how many are believed to be false negatives, from a judged sample or a
  paper (MIRACL: 19.5 % over all languages, 32.6 % English, 9.4 % Bengali);
- a share of the candidates marked as false negatives: by a judge, or planted (translations);
- `share_dropped` of a reference: what a published setting drops where it was tuned, say 0.95 among
  English queries. This corrects an encoder's scale, and assumes that languages have equally many
  false negatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from mining.filters import FILTERS, Floats, ScoreRule
from sdg.errors import ConfigError, DataError

# Fewer candidates than this give no threshold of their own; own: one standard error of a share of
# 20 % is then 1.3 points, were they independent.
MIN_CANDIDATES = 1000
# Thresholds are looked for in these steps, so that a configuration file can hold them.
STEPS_PER_UNIT = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """Candidates of Q queries, as a miner without score rules finds them.

    Known positives, their duplicates, and whatever other rules drop should be taken out before.

    Attributes:
        anchors: (Q,) float32 score of each query's positive.
        scores: (Q, K) float32 scores of candidates, NaN is padding.
        languages: Q tags of the queries.
        is_marked: (Q, K) True where a candidate is believed to be a false negative; without it the
            target is a share of all candidates.
    """

    anchors: Floats
    scores: Floats
    languages: list[str]
    is_marked: npt.NDArray[np.bool_] | None = None

    def of(self, language: str) -> Sample:
        """Return the queries in a language."""
        mine = np.array([tag == language for tag in self.languages], bool)
        marked = None if self.is_marked is None else self.is_marked[mine]
        return Sample(self.anchors[mine], self.scores[mine], [language] * int(mine.sum()), marked)

    def counted(self) -> npt.NDArray[np.bool_]:
        """Return (Q, K) True where a candidate counts for the target."""
        is_there = ~np.isnan(self.scores)
        return is_there if self.is_marked is None else is_there & self.is_marked


@dataclass(frozen=True, slots=True)
class Calibration:
    """A score rule with its thresholds.

    Attributes:
        rule: Name of the rule.
        setting: Name of its threshold.
        overall: For languages not listed.
        per_language: Language -> threshold.
        dropped: Language ("" overall) -> share of the counted candidates that the rule then drops.
        too_few: Languages with too few candidates for a threshold of their own -> how many.
    """

    rule: str
    setting: str
    overall: float
    per_language: dict[str, float]
    dropped: dict[str, float]
    too_few: dict[str, int]

    def settings(self) -> dict[str, Any]:
        """Return the rule as it stands in a configuration file."""
        return {"rule": self.rule, self.setting: self.overall, "per_language": self.per_language}


@dataclass(frozen=True, slots=True)
class _Scale:
    """A rule's threshold: its name, and its loosest and strictest value in steps."""

    setting: str
    loosest: int
    strictest: int


_SCALES = {
    "percent": _Scale("fraction", STEPS_PER_UNIT, 1),
    "margin": _Scale("margin", 0, 2 * STEPS_PER_UNIT),
    "absolute": _Scale("threshold", STEPS_PER_UNIT, -STEPS_PER_UNIT),
}


def calibrate(
    sample: Sample,
    rule: str,
    target: float | Mapping[str, float],
    min_candidates: int = MIN_CANDIDATES,
) -> Calibration:
    """Return the loosest thresholds, in steps of 0.001, that drop at least the target.

    Args:
        sample: Queries of all languages.
        rule: "percent", "margin" or "absolute".
        target: Share in [0, 1] of the counted candidates to be dropped, for all languages, or by
            language with "" for the rest and overall.
        min_candidates: Counted candidates that a language needs for a threshold of its own.

    Raises:
        ConfigError: If the rule has no threshold, or a target is missing or no share.
        DataError: If there is nothing to count, or no threshold drops that much.
    """
    if rule not in _SCALES:
        raise ConfigError(
            f"`rule` must be one of {', '.join(sorted(_SCALES))}, but is {rule!r} instead. Only "
            "these have a threshold relative to which candidates are dropped."
        )
    targets = dict(target) if isinstance(target, Mapping) else {"": target}
    for language, share in targets.items():
        if not 0 <= share <= 1:
            raise ConfigError(
                f"`target` must be a share in [0, 1], but is {share} for {language or 'all'} "
                "instead. 0.2 drops a fifth of the candidates."
            )
    if "" not in targets:
        raise ConfigError(
            f"`target` must have an entry for '', all other languages, but has {sorted(targets)} "
            "instead. Add the share over all languages."
        )
    overall = _loosest(sample, rule, targets[""], "")
    per_language, dropped, too_few = {}, {"": share_dropped(sample, _built(rule, overall))}, {}
    for language in sorted(set(sample.languages)):
        part = sample.of(language)
        count = int(part.counted().sum())
        if count < min_candidates:
            too_few[language] = count
            continue
        steps = _loosest(part, rule, targets.get(language, targets[""]), language)
        per_language[language] = steps / STEPS_PER_UNIT
        dropped[language] = share_dropped(part, _built(rule, steps))
    setting = _SCALES[rule].setting
    return Calibration(rule, setting, overall / STEPS_PER_UNIT, per_language, dropped, too_few)


def share_dropped(sample: Sample, rule: ScoreRule) -> float:
    """Return the share of the counted candidates that a rule drops.

    Raises:
        DataError: If there is nothing to count.
    """
    counted = sample.counted()
    if not counted.any():
        raise DataError(
            f"A sample must have candidates to count, but none of {counted.size} places in "
            f"{len(counted)} queries counts. Take more queries, or candidates further down."
        )
    lower, upper = rule.bounds(sample.anchors, sample.languages)
    outside = (sample.scores < lower[:, None]) | (sample.scores > upper[:, None])
    return float((outside & counted).sum() / counted.sum())


def rule_at(rule: str, threshold: float) -> ScoreRule:
    """Return a rule with a threshold.

    Raises:
        ConfigError: If the rule has none, or it cannot have this value.
    """
    if rule not in _SCALES:
        raise ConfigError(
            f"`rule` must be one of {', '.join(sorted(_SCALES))}, but is {rule!r} instead. Only "
            "these have a threshold relative to which candidates are dropped."
        )
    setting = _SCALES[rule].setting
    try:
        built = FILTERS.build({"rule": rule, setting: threshold})
    except ValidationError as error:
        raise ConfigError(
            f"`{setting}` of the rule {rule} cannot be {threshold}: {error.errors()[0]['msg']}."
        ) from error
    if not isinstance(built, ScoreRule):
        raise ConfigError(f"`rule` must be a rule on scores, but {rule} is not. Choose another.")
    return built


def loosest_rule(rule: str) -> ScoreRule:
    """Return a rule with the threshold that drops least.

    Raises:
        ConfigError: If the rule has no threshold.
    """
    return rule_at(rule, _SCALES[rule].loosest / STEPS_PER_UNIT if rule in _SCALES else 0.0)


def _built(rule: str, steps: int) -> ScoreRule:
    return rule_at(rule, steps / STEPS_PER_UNIT)


def _loosest(sample: Sample, rule: str, target: float, language: str) -> int:
    """Return the loosest threshold in steps that reaches the target; stricter ones drop more."""
    scale = _SCALES[rule]
    reached = share_dropped(sample, _built(rule, scale.strictest))
    if reached < target:
        raise DataError(
            f"The rule {rule} must be able to drop {target:.1%} of the candidates of "
            f"{language or 'all languages'}, but drops {reached:.1%} at its strictest. "
            "Lower the target, or use the rule `absolute`."
        )
    way = 1 if scale.strictest > scale.loosest else -1
    low, high = 0, abs(scale.strictest - scale.loosest)
    while low < high:
        middle = (low + high) // 2
        steps = scale.loosest + way * middle
        if share_dropped(sample, _built(rule, steps)) >= target:
            high = middle
        else:
            low = middle + 1
    return scale.loosest + way * low
