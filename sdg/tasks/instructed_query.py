"""A query together with the task it belongs to: the LLM writes the instruction, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from sdg.tasks import TASKS, Parsed
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.prompted import PromptedTask, fenced, one_line, query_or_reason, refusal_of


@TASKS.register("instructed_query")
class InstructedQuery(PromptedTask):
    """A task in words, which becomes the row's `instruction`, and a query of that task.

    After Gecko (arXiv 2403.20327): one prompt for all documents, with several sorts of task shown
    in it; its own prompt is not published. DRAMA's, too, asks for the task in English and the query
    in another language.

    Attributes:
        instruction_language: Of the instruction; "" is that of the query.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(task=STRING, query=STRING)

    instruction_language: str = Field(default="eng-Latn", pattern=r"^([a-z]{3}-[A-Z][a-z]{3})?$")

    def check(self, document_language: str, query_language: str) -> None:
        """Load the prompts, and name the language of the instruction.

        Raises:
            ConfigError: If a prompt is missing or damaged, asks for other keys than are read, or
                the language has no name.
        """
        super().check(document_language, query_language)
        self._instruction_language({"query_language": query_language})

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002 - asks nothing before
    ) -> dict[str, str]:
        """Return the document and the language of the instruction."""
        language = self._instruction_language(request)
        return {"document": fenced(document["text"]), "instruction_language": language}

    def parse(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - a reply says all
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the query with its instruction.

        Reasons: `empty_reply`, `several_lines`, and the two after `instruction_`.
        """
        instruction = one_line(value["task"])
        if reason := refusal_of(instruction):
            return [Parsed("", f"instruction_{reason}")]
        return [query_or_reason(value["query"], instruction=instruction)]

    def _instruction_language(self, request: Mapping[str, Any]) -> str:
        language = self.instruction_language or self.language(request)
        return self._language_name(language, self._prompt(None, request))
