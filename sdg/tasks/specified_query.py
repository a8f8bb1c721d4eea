"""A query of a kind that the plan chose: type, difficulty, length, clarity, and who asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import Field

from sdg.tasks import TASKS, Parsed
from sdg.tasks.choices import ChoosingTask, Weights, equally
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.prompted import fenced, query_or_reason

QUESTION_TYPES: Final = ("keywords", "acquire_knowledge", "summary", "yes_or_no", "background")
DIFFICULTIES: Final = ("high_school", "university", "phd")
LENGTHS: Final = ("less_than_5_words", "from_5_to_15_words", "at_least_10_words")
CLARITIES: Final = ("clear", "understandable_with_some_effort", "ambiguous")


@TASKS.register("specified_query")
class SpecifiedQuery(ChoosingTask):
    """A query that the document answers, of a drawn kind.

    The key "persona" of a request's spec, a line of text, is who asks; without it anybody does.

    The types and difficulties are Qwen3-Embedding's (arXiv 2506.05176, appendix), which lets the
    LLM choose them: `configured_query` does. Lengths and clarities are E5-Mistral's (arXiv
    2401.00368, appendix). Neither paper gives shares; equal ones are own.

    Attributes:
        question_types: Weight of each type.
        difficulties: Weight of each difficulty.
        lengths: Weight of each length in words.
        clarities: Weight of each clarity.
    """

    reads_personas: ClassVar[bool] = True
    reply_schema: ClassVar[Mapping[str, Any]] = object_of(query=STRING)

    question_types: Weights = Field(default=equally(*QUESTION_TYPES))
    difficulties: Weights = Field(default=equally(*DIFFICULTIES))
    lengths: Weights = Field(default=equally(*LENGTHS))
    clarities: Weights = Field(default=equally(*CLARITIES))

    def weights(self) -> Mapping[str, Mapping[str, float]]:
        """Return the four sorts of choices."""
        return {
            "question_type": self.question_types,
            "difficulty": self.difficulties,
            "length": self.lengths,
            "clarity": self.clarities,
        }

    def described(self) -> Mapping[str, Collection[str]]:
        """Return the choices and what anybody is called."""
        return {**self.weights(), "persona": ("anyone",)}

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002 - asks nothing before
    ) -> dict[str, str]:
        """Return the document, who asks, and the words of what was drawn."""
        spec = self.spec_of(request)
        words = {name: self.words(request, name, spec[name]) for name in self.weights()}
        person = self.person(request, spec.get("persona", ""))
        return {**words, "persona": fenced(person, "person"), "document": fenced(document["text"])}

    def parse(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - a reply says all
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the query; reasons: `empty_reply`, `several_lines`."""
        return [query_or_reason(value["query"])]
