"""Whether a text gives its label away."""

from __future__ import annotations

import pytest

from sdg.tasks.self_correction import holds_label, labelled


@pytest.mark.parametrize(
    ("text", "label", "holds"),
    [
        pytest.param("This is a Complaint.", "complaint", True, id="case and full stop"),
        pytest.param("Several complaints", "complaint", False, id="another ending"),
        pytest.param("not at all urgent", "not urgent", False, id="words apart"),
        pytest.param("It is Not  urgent!", "not-urgent", True, id="hyphen"),
        pytest.param("这是一个投诉信", "投诉", True, id="no spaces between words"),
        pytest.param("这是一封信", "投诉", False, id="another Chinese word"),
        pytest.param("นี่คือคำร้องเรียน", "ร้องเรียน", True, id="Thai"),
        pytest.param("anything", "!", False, id="a label without words"),
        pytest.param("", "complaint", False, id="no text"),
    ],
)
def test_a_label_is_in_a_text_if_its_words_stand_there_in_a_row(
    text: str, label: str, holds: bool
) -> None:
    assert holds_label(text, label) is holds


def test_a_labelled_text_is_normalised_and_empty_or_telling_ones_are_refused() -> None:
    assert labelled(" It broke.\x00 ", "complaint").value == "It broke."
    assert labelled(" \x00", "complaint").reason == "empty_query"
    assert labelled("My complaint", "complaint").reason == "label_in_input"
