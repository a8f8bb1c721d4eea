"""Thresholds per language."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mining.calibrate import Sample, calibrate, share_dropped
from mining.filters import FILTERS, ScoreRule
from sdg.errors import ConfigError, DataError

ENGLISH, FRENCH = "eng-Latn", "fra-Latn"


def _rule(settings: dict[str, Any]) -> ScoreRule:
    rule = FILTERS.build(settings)
    assert isinstance(rule, ScoreRule)
    return rule


@pytest.fixture
def sample() -> Sample:
    """Return positives at 1.0; English candidates 0.9, 0.8, ..., French ones 0.99, 0.98, ..."""
    english, french = 1 - np.arange(1, 11) / 10, 1 - np.arange(1, 11) / 100
    return Sample(
        np.ones(4, np.float32),
        np.array([english, english, french, french], np.float32),
        [ENGLISH, ENGLISH, FRENCH, FRENCH],
    )


@pytest.mark.parametrize(
    ("rule", "english", "french"),
    # A fifth of ten: the two nearest go, the third stays.
    [
        ("percent", (0.7, 0.8), (0.97, 0.98)),
        ("margin", (0.2, 0.3), (0.02, 0.03)),
        ("absolute", (0.7, 0.8), (0.97, 0.98)),
    ],
)
def test_each_language_gets_the_loosest_threshold_that_drops_the_target(
    sample: Sample, rule: str, english: tuple[float, float], french: tuple[float, float]
) -> None:
    found = calibrate(sample, rule, 0.2, min_candidates=1)
    for language, (low, high) in ((ENGLISH, english), (FRENCH, french)):
        assert low - 1e-9 <= found.per_language[language] <= high + 1e-9
        assert found.dropped[language] == 0.2
    step = 0.001 if rule == "percent" else -0.001 if rule == "margin" else 0.001
    looser = found.per_language[FRENCH] + step
    assert share_dropped(sample.of(FRENCH), _rule({"rule": rule, found.setting: looser})) < 0.2


def test_what_is_found_goes_into_a_configuration_and_drops_what_it_says(sample: Sample) -> None:
    found = calibrate(sample, "percent", {"": 0.2, FRENCH: 0.5}, min_candidates=1)
    rule = _rule(found.settings())
    assert share_dropped(sample.of(ENGLISH), rule) == pytest.approx(0.2)
    assert share_dropped(sample.of(FRENCH), rule) == pytest.approx(0.5)
    assert share_dropped(sample, rule) == pytest.approx(0.35)


def test_only_marked_candidates_count(sample: Sample) -> None:
    is_marked = np.zeros((4, 10), bool)
    is_marked[:, [0, 4]] = True
    marked = Sample(sample.anchors, sample.scores, sample.languages, is_marked)
    found = calibrate(marked, "margin", 1.0, min_candidates=1)
    # All marked ones go, down to the fifth, at 0.5 and 0.95.
    assert 0.5 < found.per_language[ENGLISH] <= 0.501
    assert 0.05 < found.per_language[FRENCH] <= 0.051


def test_a_language_with_few_candidates_gets_the_overall_threshold(sample: Sample) -> None:
    few = Sample(sample.anchors[:3], sample.scores[:3], sample.languages[:3])
    found = calibrate(few, "margin", 0.2, min_candidates=11)
    assert found.too_few == {FRENCH: 10}
    assert list(found.per_language) == [ENGLISH]
    assert found.overall == calibrate(few, "margin", 0.2, min_candidates=99).overall


def test_a_reference_setting_gives_the_target_for_other_languages(sample: Sample) -> None:
    target = share_dropped(sample.of(ENGLISH), _rule({"rule": "percent", "fraction": 0.75}))
    found = calibrate(sample, "percent", target, min_candidates=1)
    # 0.75 drops 0.9 and 0.8 in English; in French, whose scores lie closer, it would drop all.
    assert share_dropped(sample.of(FRENCH), _rule({"rule": "percent", "fraction": 0.75})) == 1
    assert found.dropped[FRENCH] == pytest.approx(0.2)


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    target=st.floats(0, 1),
    rule=st.sampled_from(["percent", "margin", "absolute"]),
)
def test_the_target_is_always_reached_and_one_step_looser_misses_it(
    seed: int, target: float, rule: str
) -> None:
    random = np.random.default_rng(seed)
    scores = random.uniform(0.01, 0.99, (6, 9)).astype(np.float32)
    scores[random.random((6, 9)) < 0.2] = np.nan
    scores[0, 0] = 0.5
    anchors = random.uniform(0.2, 0.99, 6).astype(np.float32)
    languages = [str(tag) for tag in random.choice([ENGLISH, FRENCH], 6)]
    sample = Sample(anchors, scores, languages)
    found = calibrate(sample, rule, target, min_candidates=1)
    loosest = {"percent": 1.0, "margin": 0.0, "absolute": 1.0}[rule]
    for language, value in found.per_language.items():
        part = sample.of(language)
        assert share_dropped(part, _rule({"rule": rule, found.setting: value})) >= target
        if value != loosest:
            looser = round(value + (-0.001 if rule == "margin" else 0.001), 3)
            assert share_dropped(part, _rule({"rule": rule, found.setting: looser})) < target


@pytest.mark.parametrize(
    ("rule", "target", "message"),
    [
        ("floor", 0.2, "absolute, margin, percent, but is 'floor'"),
        ("percent", 1.5, "is 1.5 for all"),
        ("percent", {FRENCH: 0.2}, "all other languages"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(
    sample: Sample, rule: str, target: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        calibrate(sample, rule, target)


def test_a_target_out_of_reach_is_named(sample: Sample) -> None:
    below = Sample(sample.anchors, -sample.scores, sample.languages)
    with pytest.raises(DataError, match=r"drop 50.0% .* but drops 0.0%"):
        calibrate(below, "percent", 0.5)


def test_an_empty_sample_is_refused() -> None:
    nothing = Sample(np.ones(1, np.float32), np.full((1, 3), np.nan, np.float32), [ENGLISH])
    with pytest.raises(DataError, match="none of 3 places"):
        calibrate(nothing, "margin", 0.1)
