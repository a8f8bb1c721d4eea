"""Choices: drawn by weight and seed, put into words by the prompt's file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import prompts
from sdg.errors import ConfigError
from sdg.tasks.choices import draw_name
from sdg.tasks.configured_query import ConfiguredQuery
from sdg.tasks.several_queries import SeveralQueries
from sdg.tasks.specified_query import SpecifiedQuery
from tests.sdg.tasks.asked import rendered


def test_each_name_is_drawn_about_as_often_as_its_weight_says() -> None:
    weights = {"b": 6.0, "a": 1.0, "c": 3.0}
    counts = Counter(draw_name(weights, seed) for seed in range(4000))
    assert abs(counts["a"] - 400) < 80
    assert abs(counts["b"] - 2400) < 130
    assert abs(counts["c"] - 1200) < 120


@given(st.dictionaries(st.text(min_size=1), st.floats(1e-6, 1e6), min_size=1), st.integers(0))
def test_a_draw_is_one_of_the_names_and_their_order_does_not_count(
    weights: dict[str, float], seed: int
) -> None:
    turned = dict(reversed(weights.items()))
    assert draw_name(weights, seed) == draw_name(turned, seed)
    assert draw_name(weights, seed) in weights


@pytest.mark.parametrize("weights", [{}, {"clear": 0}, {"clear": -1}, {"clear": float("inf")}])
def test_weights_that_cannot_be_drawn_from_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="clarities"):
        SpecifiedQuery(clarities=weights)


def test_a_choice_without_words_is_refused_before_anything_is_asked() -> None:
    task = SpecifiedQuery(lengths={"one_word": 1.0})
    with pytest.raises(ConfigError, match=r"`length`.*less_than_5_words.*'one_word'.*eng-Latn\.md"):
        task.check("eng-Latn", "eng-Latn")
    with pytest.raises(ConfigError, match="'magical'"):
        SeveralQueries(reasoning_types=("factual", "magical")).check("eng-Latn", "eng-Latn")


def test_a_choice_of_ones_own_needs_words_in_a_file_and_no_code(tmp_path: Path) -> None:
    (tmp_path / "specified_query").mkdir()
    text = (prompts.PACKAGED / "specified_query" / "eng-Latn.md").read_text(encoding="utf-8")
    added = text.replace("  length:\n", "  length:\n    one_word: a single word\n")
    (tmp_path / "specified_query" / "eng-Latn.md").write_text(added, encoding="utf-8")
    task = SpecifiedQuery(lengths={"one_word": 1.0}, prompts=str(tmp_path))
    task.check("eng-Latn", "eng-Latn")
    assert "- Length: a single word\n" in rendered(task)


def test_a_language_without_a_file_gets_the_english_words() -> None:
    ConfiguredQuery().check("tha-Thai", "tha-Thai")
    text = rendered(
        SpecifiedQuery(lengths={"less_than_5_words": 1.0}),
        document_language="tha-Thai",
        query_language="tha-Thai",
    )
    assert "fewer than 5 words" in text and "in Thai" in text
