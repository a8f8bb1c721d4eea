"""Triples of texts with scores of similarity, and what a score is as a grade.

    S1 ── high score ── S2        query S1, positive S2, negative S3
     └─── low score ─── S3

After E5-Mistral (arXiv 2401.00368). The scores are those that were asked for, not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import model_validator

from sdg.llm import Sampling
from sdg.tasks import Parsed
from sdg.tasks.brainstormed import CREATIVE, spec_of
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.placeholders import UNITS, Similarity, Unit, Values, drawn
from sdg.tasks.prompted import PromptedTask
from sdg.tasks.written_row import row_or_reason, written_as

# Lowest score of each grade. The words of the two scales decide, own: "nearly the same" answers as
# well (3), "roughly the same, something important missing" answers in part (2), "other things" that
# share details or a topic do not answer (1).
_LOWEST = ((4.0, 3), (3.0, 2), (1.0, 1))


def grade_of(score: float) -> int:
    """Return the grade of relevance from 0 to 3 for a similarity from 1 to 5.

    4 to 5 is 3; from 3 up is 2; from 1 up is 1; less, which no triple asks for, is 0.
    """
    return next((grade for lowest, grade in _LOWEST if score >= lowest), 0)


class SimilarityTriple(PromptedTask):
    """A task that writes S1, S2 and S3.

    S1 is in the query's language, S2 and S3 in the documents'. The scores and the unit are in the
    row's spec, and the documents' grades are `grade_of` the scores.

    Attributes:
        units: How long the texts are.
        high_scores: Similarity of S1 and S2.
        low_scores: Similarity of S1 and S3.
        sampling: How replies are drawn; 1.0 / 1.0 is E5-Mistral's.
    """

    is_grounded: ClassVar[bool] = False
    reply_schema: ClassVar[Mapping[str, Any]] = object_of(s1=STRING, s2=STRING, s3=STRING)

    units: Values[Unit] = UNITS
    high_scores: Values[Similarity] = (4.0, 4.5, 5.0)
    low_scores: Values[Similarity]
    sampling: Sampling = CREATIVE

    @model_validator(mode="after")
    def _check_scores(self) -> Self:
        if max(self.low_scores) >= min(self.high_scores):
            raise ValueError(
                f"`low_scores` must lie below `high_scores`, but are {self.low_scores} and "
                f"{self.high_scores} instead. The negative must be less similar than the positive"
            )
        return self

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - takes no turns
        """Return unit and scores."""
        return {
            "unit": drawn(seed, "unit", self.units),
            "high_score": drawn(seed, "high_score", self.high_scores),
            "low_score": drawn(seed, "low_score", self.low_scores),
        }

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - there is none
        answers: Sequence[Any],  # noqa: ARG002 - asks nothing before
    ) -> dict[str, str]:
        """Return what was drawn."""
        spec = spec_of(request)
        scores = {name: f"{spec[name]:g}" for name in ("high_score", "low_score")}
        return {**scores, "unit": spec["unit"]}

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return S1 with S2 and S3; reasons as in `row_or_reason`."""
        spec, language = spec_of(request), request["document_language"]
        written = (
            *written_as("positive", [value["s2"]], language, grade_of(spec["high_score"])),
            *written_as("negative", [value["s3"]], language, grade_of(spec["low_score"])),
        )
        return [row_or_reason(value["s1"], written, is_one_line=False)]
