"""Two-step tasks: an LLM thinks up a list of task descriptions, then writes a row for one of them.

    number 0…19 ─► one brainstorm ─► 20 descriptions ─► description k is the instruction of row k

After E5-Mistral (arXiv 2401.00368), where one prompt for both steps gave less diverse rows. The
descriptions join each row as its instruction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import Field

from sdg.ids import comparison_key, content_id
from sdg.llm import Sampling
from sdg.prompt_choice import ChosenPrompt
from sdg.tasks import Prepared
from sdg.tasks.json_reply import STRING, any_list_of, list_of, object_of
from sdg.tasks.prompted import PromptedTask, fenced, one_line

# E5-Mistral samples at 1.0 and 1.0. 4,096 tokens is own: two documents of 500 words take about
# 3,000 where a word takes three.
CREATIVE: Final = Sampling(temperature=1.0, top_p=1.0, max_tokens=4096)


def spec_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was drawn for a request."""
    spec: dict[str, Any] = json.loads(request["spec"])
    return spec


def list_item(items: Sequence[str], place: int, name: str) -> Prepared:
    """Return the item of a shared list that belongs to one request, on one line.

    Args:
        items: What the LLM wrote.
        place: 0-based; an LLM that writes fewer items than asked leaves some requests without.
        name: What the items are, for the reasons.

    Returns:
        Reasons: `too_few_<name>s`, `empty_<name>`, `several_lines`, `repeated_<name>` (an equal one
        stands before it).
    """
    if place >= len(items):
        return Prepared(None, f"too_few_{name}s")
    text = one_line(items[place])
    if not text:
        return Prepared(None, f"empty_{name}")
    if "\n" in text:
        return Prepared(None, "several_lines")
    before = {comparison_key(one_line(item)) for item in items[:place]}
    is_repeated = comparison_key(text) in before
    return Prepared(None, f"repeated_{name}") if is_repeated else Prepared(text, "")


class BrainstormedTask(PromptedTask):
    """A task that writes a whole row for a task description that was brainstormed before.

    Attributes:
        tasks_per_call: Descriptions that one call is asked for; as many requests share it. About 20
            (E5-Mistral).
        instruction_language: Language of the descriptions, which become the rows' instructions; ""
            is that of the query. English is own, as for `instructed_query`.
        sampling: How replies are drawn; 1.0 / 1.0 is E5-Mistral's.
    """

    is_grounded: ClassVar[bool] = False
    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = (
        object_of(tasks=any_list_of(STRING)),
    )

    tasks_per_call: int = Field(default=20, ge=1)
    instruction_language: str = Field(default="eng-Latn", pattern=r"^([a-z]{3}-[A-Z][a-z]{3})?$")
    sampling: Sampling = CREATIVE

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - overriders'
        """Return which brainstorm the request shares, and which of its items is the request's."""
        brainstorm, item = divmod(number, self.tasks_per_call)
        return {"brainstorm": brainstorm, "item": item}

    def asked_schema(self, step: int | None, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema; a brainstorm asks for exactly as many items as there are requests."""
        if step != 0:
            return super().asked_schema(step, request)
        return object_of(tasks=list_of(STRING, self.tasks_per_call, self.tasks_per_call))

    def shared_by(self, step: int, request: Mapping[str, Any]) -> str:
        """Return one key per brainstorm of a pair of languages."""
        if step != 0:
            return ""
        languages = (request["document_language"], request["query_language"])
        return content_id("b", self.label, *languages, str(spec_of(request)["brainstorm"]))

    def preparation_variables(
        self,
        step: int,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return how many descriptions are wanted; later steps see the last question's variables.

        The number is the same for all that share the call.
        """
        if step == 0:
            return {"num_tasks": str(self.tasks_per_call)}
        return self.variables(request, document, answers)

    def parse_preparation(
        self, step: int, request: Mapping[str, Any], value: dict[str, Any]
    ) -> Prepared:
        """Return the request's own description.

        Reasons: `too_few_tasks`, `empty_task`, `several_lines`, `repeated_task`.
        """
        if step == 0:
            return list_item(value["tasks"], spec_of(request)["item"], "task")
        return super().parse_preparation(step, request, value)

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - there is none
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return the description, and what was drawn under its own name."""
        spec = spec_of(request)
        taken = {name: str(spec[name]) for name in self.placeholders()}
        return {**taken, "task": fenced(answers[0], "task")}

    def placeholders(self) -> tuple[str, ...]:
        """Return the names in a spec that fill the prompt."""
        return ()

    def facts_of(self, request: Mapping[str, Any], answers: Sequence[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the description as the rows' instruction."""
        return {"instruction": answers[0]}

    def _prompt(self, step: int | None, request: Mapping[str, Any]) -> ChosenPrompt:
        if step == 0 and self.instruction_language:
            request = {**request, "query_language": self.instruction_language}
        return super()._prompt(step, request)
