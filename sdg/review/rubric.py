"""A rubric: four marks from 1 to 10 and one overall, which decides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from sdg.ids import canonical_json
from sdg.review import REVIEWERS, Grade, Reviewer

_OVERALL = "overall"
_CRITERIA = ("relevance", "accuracy", "context_support", "clarity", _OVERALL)
_LOWEST, _HIGHEST = 1, 10
# Marks are offered one by one, because engines differ in which bounds of numbers they can enforce;
# halves for the overall mark, so that a bound between two marks can decide; own.
_MARKS = list(range(_LOWEST, _HIGHEST + 1))
_HALVES = [mark / 2 if mark % 2 else mark // 2 for mark in range(2 * _LOWEST, 2 * _HIGHEST + 1)]


@REVIEWERS.register("rubric")
class Rubric(Reviewer):
    """Stop pairs that an LLM marks low.

    The four criteria, the scale and the bound are those of NVIDIA's Nemotron recipe, where the
    judge marks a question with its answer; a pair here has no answer, so what is marked is the
    query against its document. How the recipe's judge comes to its overall mark is not published
    with it: here it is asked for as a mark of its own.

    Attributes:
        min_overall: The overall mark must be at least this; 7.0 is the Nemotron recipe's.
    """

    criteria: ClassVar[tuple[str, ...]] = _CRITERIA
    json_schema: ClassVar[str] = canonical_json(
        {
            "type": "object",
            "properties": {
                name: {"enum": _HALVES if name == _OVERALL else _MARKS} for name in _CRITERIA
            },
            "required": list(_CRITERIA),
            "additionalProperties": False,
        }
    )

    min_overall: float = Field(default=7.0, ge=_LOWEST, le=_HIGHEST)

    def grade(self, criterion: str, answer: Any) -> Grade:  # noqa: ANN401, ARG002 - JSON
        """Return the mark: any number from 1 to 10, whole or not."""
        if type(answer) not in (int, float):
            return Grade(0.0, "wrong_json_schema")
        if not _LOWEST <= answer <= _HIGHEST or not math.isfinite(answer):
            return Grade(0.0, "score_out_of_range")
        return Grade(float(answer))

    def objection(self, scores: Mapping[str, float]) -> str:
        """Return `low_overall_score` below the bound."""
        return "low_overall_score" if scores[_OVERALL] < self.min_overall else ""
