"""Matryoshka vectors and the prompts a model brings: what all model encoders share."""

from __future__ import annotations

import numpy as np
import pytest

from mining.encoders import prompt_of, shorten
from sdg.errors import ConfigError


def test_a_shortened_vector_is_its_beginning_at_unit_length() -> None:
    whole = np.array([[0.6, 0.0, 0.8], [0.36, 0.48, 0.8]], np.float32)
    assert shorten(whole, 2) == pytest.approx(np.array([[1.0, 0.0], [0.6, 0.8]]))
    assert shorten(whole, 2).dtype == np.float32


def test_a_vector_without_a_beginning_is_zero_and_not_nan() -> None:
    assert shorten(np.array([[0.0, 0.0, 1.0]], np.float32), 2).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("dimension", [None, 3])
def test_whole_vectors_are_not_touched(dimension: int | None) -> None:
    whole = np.array([[0.1, 0.2, 0.3]], np.float32)
    assert shorten(whole, dimension) is whole


def test_more_dimensions_than_the_model_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="at most the model's 3, but is 4"):
        shorten(np.zeros((1, 3), np.float32), 4)


@pytest.mark.parametrize(
    ("saved", "query", "document"),
    [
        ({}, "", ""),
        ({"query": "q: ", "passage": "p: ", "corpus": "c: "}, "q: ", "p: "),
        ({"document": "", "passage": "p: "}, "", "p: "),
        ({"document": "d: ", "passage": "p: "}, "", "d: "),
        ({"document": None, "corpus": "c: "}, "", "c: "),
    ],
)
def test_an_empty_entry_hides_no_prompt_of_another_name(
    saved: dict[str, str | None], query: str, document: str
) -> None:
    assert prompt_of(saved, "query") == query
    assert prompt_of(saved, "document") == document
