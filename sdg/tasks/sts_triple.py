"""Three texts, of which the second is closer to the first than the third is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sdg.tasks import TASKS
from sdg.tasks.brainstormed import spec_of
from sdg.tasks.placeholders import Similarity, Values, drawn
from sdg.tasks.similarity import SimilarityTriple

# Easier than those of other tasks.
_Difficulty = Literal["elementary_school", "high_school", "college"]


@TASKS.register("sts_triple")
class StsTriple(SimilarityTriple):
    """E5-Mistral's semantic textual similarity (arXiv 2401.00368); its units and scores, too.

    Attributes:
        low_scores: Similarity of S1 and S3.
        difficulties: Education that it takes to understand the texts.
    """

    low_scores: Values[Similarity] = (2.5, 3.0, 3.5)
    difficulties: Values[_Difficulty] = ("elementary_school", "high_school", "college")

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:
        """Return unit, scores and difficulty."""
        difficulty = drawn(seed, "difficulty", self.difficulties)
        return {**super().draw_spec(seed, number), "difficulty": difficulty}

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return what was drawn."""
        values = super().variables(request, document, answers)
        return {**values, "difficulty": spec_of(request)["difficulty"]}
