"""Another query for the document of an accepted one, from another point of view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sdg.tasks import TASKS
from sdg.tasks.prompted import fenced
from sdg.tasks.varied import VariedQuery


@TASKS.register("augmented_query")
class AugmentedQuery(VariedQuery):
    """What else the document answers: the same field, another viewpoint, no restatement.

    QZhou-Embedding augments retrieval data in this way, and nothing else (arXiv 2508.21632).
    """

    keeps_meaning: ClassVar[bool] = False

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return the query and the document."""
        values = super().variables(request, document, answers)
        return {**values, "document": fenced(document["text"])}
