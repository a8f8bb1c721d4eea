"""Placeholders: what varies in a prompt from one request to the next, drawn by seed.

The lists are those of E5-Mistral (arXiv 2401.00368, appendix) unless a task says otherwise. Values
are codes that a prompt explains in its own language; a value that stands twice in a list of a
configuration is drawn twice as often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from sdg.ids import seed_for

T = TypeVar("T")
Values = Annotated[tuple[T, ...], Field(min_length=1)]

QueryType = Literal["extremely_long_tail", "long_tail", "common"]
QueryLength = Literal["<5", "5-15", ">=10"]
Difficulty = Literal["high_school", "college", "phd"]
Clarity = Literal["clear", "understandable_with_some_effort", "ambiguous"]
TextLength = Literal["<10", ">=10", ">=50", ">=100", ">=200"]
Unit = Literal["sentence", "phrase", "passage"]
WordCount = Annotated[int, Field(ge=1)]
Similarity = Annotated[float, Field(ge=1, le=5)]

QUERY_TYPES: tuple[QueryType, ...] = ("extremely_long_tail", "long_tail", "common")
QUERY_LENGTHS: tuple[QueryLength, ...] = ("<5", "5-15", ">=10")
DIFFICULTIES: tuple[Difficulty, ...] = ("high_school", "college", "phd")
CLARITIES: tuple[Clarity, ...] = ("clear", "understandable_with_some_effort", "ambiguous")
TEXT_LENGTHS: tuple[TextLength, ...] = ("<10", ">=10", ">=50", ">=100", ">=200")
UNITS: tuple[Unit, ...] = ("sentence", "phrase", "passage")
WORD_COUNTS = (50, 100, 200, 300, 400, 500)


def drawn(seed: int, name: str, values: Sequence[T]) -> T:
    """Return one of `values`, each equally often over seeds; draws of different names differ."""
    return values[seed_for(seed, name) % len(values)]
