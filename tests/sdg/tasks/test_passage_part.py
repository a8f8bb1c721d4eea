"""Whole sentences of the document as its query."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sdg.errors import ConfigError
from sdg.ids import normalise_text
from sdg.tasks.passage_part import PassagePart
from tests.sdg.rows import document_row
from tests.sdg.tasks.asked import request

TEXT = "The bridge of Brell is long. Irena built it in 1930.\nIt is made of wood. Many cross it."
SENTENCES = [
    "The bridge of Brell is long.",
    "Irena built it in 1930.",
    "It is made of wood.",
    "Many cross it.",
]
ANY = PassagePart(min_characters=1)


def part(task: PassagePart, text: str = TEXT, language: str = "eng-Latn", seed: int = 7) -> str:
    return task.copy_text(request(seed=seed), document_row(text=text, language=language))


def test_every_stretch_of_whole_sentences_is_drawn_about_equally_often() -> None:
    pairs = [" ".join(SENTENCES[i : i + 2]) for i in range(3)]
    counts = Counter(part(ANY, seed=seed) for seed in range(700))
    assert sorted(counts) == sorted([*SENTENCES, *pairs])
    assert min(counts.values()) > 60


def test_the_same_seed_draws_the_same_part() -> None:
    assert part(ANY, seed=11) == part(ANY, seed=11)


def test_a_part_is_of_the_lengths_asked_for() -> None:
    task = PassagePart(min_characters=20, max_characters=25)
    assert {part(task, seed=seed) for seed in range(40)} == {"Irena built it in 1930."}
    assert part(PassagePart(min_characters=200)) == ""


def test_at_least_one_sentence_is_left_out() -> None:
    task = PassagePart(min_characters=1, max_sentences=9)
    assert max(len(part(task, seed=seed)) for seed in range(200)) < len(TEXT)
    assert part(task, "Only one sentence.") == ""
    assert part(task, "") == ""


def test_sentences_of_a_script_without_spaces_are_joined_without_one() -> None:
    text = "布雷尔桥很长。伊雷娜于1930年建造了它。它是木头做的。"
    drawn = {part(PassagePart(min_characters=1), text, "zho-Hans", seed) for seed in range(60)}
    assert "布雷尔桥很长。伊雷娜于1930年建造了它。" in drawn
    assert all(one in text for one in drawn)


@given(st.text(max_size=80), st.integers(0, 2**63 - 1))
def test_a_part_is_a_stretch_of_the_document_on_one_line(text: str, seed: int) -> None:
    drawn = part(ANY, text, seed=seed)
    assert "\n" not in drawn
    assert drawn in " ".join(normalise_text(text).split())


def test_another_language_than_the_documents_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"passage_part.*fra-Latn.*eng-Latn"):
        ANY.check("eng-Latn", "fra-Latn")


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(ValidationError, match="`max_characters` must be at least"):
        PassagePart(min_characters=50, max_characters=49)
