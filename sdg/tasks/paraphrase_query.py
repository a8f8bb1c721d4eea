"""Another wording of an accepted query, in its own tone or another register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from sdg.ids import seed_for
from sdg.tasks import TASKS
from sdg.tasks.varied import VariedQuery, spec_of

Register = Literal["formal", "casual", "expert", "child"]


@TASKS.register("paraphrase_query")
class ParaphraseQuery(VariedQuery):
    """The same question in other words.

    QZhou-Embedding paraphrases queries of every kind of task (arXiv 2508.21632). Whether the
    meaning stayed is for gates to say.

    Attributes:
        style: "direct" keeps the tone; "register" changes it to one of `registers`. Both stand
            beside each other in a run if one of them has an `alias`.
        registers: What is drawn from; own.
    """

    style: Literal["direct", "register"] = "direct"
    registers: tuple[Register, ...] = Field(
        default=("formal", "casual", "expert", "child"), min_length=1
    )

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - from the seed
        """Return the style that is asked for: "direct" or a register."""
        if self.style == "direct":
            return {"style": "direct"}
        return {"style": self.registers[seed_for(seed, "register") % len(self.registers)]}

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return the query and the style."""
        values = super().variables(request, document, answers)
        return {**values, "style": str(spec_of(request)["style"])}
