"""Answerability: four questions of yes or no about a query and its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from sdg.ids import canonical_json
from sdg.review import REVIEWERS, Grade, Reviewer

Criterion = Literal["self_contained", "clear_intent", "partly_answered", "completely_answered"]

# In the order in which they are asked: the first that fails names the reason.
_OBJECTIONS: dict[Criterion, str] = {
    "self_contained": "not_self_contained",
    "clear_intent": "unclear_intent",
    "partly_answered": "not_answered",
    "completely_answered": "not_completely_answered",
}
_SCORES = {"Y": 1.0, "N": 0.0}


@REVIEWERS.register("answerability")
class Answerability(Reviewer):
    """Stop queries that make no sense alone, or that their document does not answer.

    The four criteria are those of the answerability filter of NVIDIA's NeMo Retriever SDG: the
    query is self-contained, its intent is clear, the document holds a part of the answer, and it
    answers completely. There every one must hold, and a reply that cannot be read keeps the
    question without a word; here it rejects unless `on_unreadable` says otherwise, and is counted.

    Attributes:
        required: Criteria that must hold; all four, as there. The others are asked and kept all the
            same. For queries that a document need only bear on, leave out `completely_answered`.
    """

    criteria: ClassVar[tuple[str, ...]] = tuple(_OBJECTIONS)
    json_schema: ClassVar[str] = canonical_json(
        {
            "type": "object",
            "properties": {name: {"enum": list(_SCORES)} for name in _OBJECTIONS},
            "required": list(_OBJECTIONS),
            "additionalProperties": False,
        }
    )

    required: tuple[Criterion, ...] = Field(default=tuple(_OBJECTIONS), min_length=1)

    @field_validator("required")
    @classmethod
    def _check_required(cls, value: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        if len(set(value)) != len(value):
            raise ValueError(
                f"`required` must name each criterion once, but is {list(value)}. Name it once."
            )
        return value

    def grade(self, criterion: str, answer: Any) -> Grade:  # noqa: ANN401, ARG002 - JSON
        """Return 1 for "Y", 0 for "N"."""
        if not isinstance(answer, str) or answer not in _SCORES:
            return Grade(0.0, "wrong_json_schema")
        return Grade(_SCORES[answer])

    def objection(self, scores: Mapping[str, float]) -> str:
        """Return the reason of the first required criterion that does not hold."""
        failed = (n for n in _OBJECTIONS if n in self.required and not scores[n])
        return next((_OBJECTIONS[name] for name in failed), "")
