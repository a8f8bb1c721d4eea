"""A query in two questions: who would ask and what kind of query, then the query itself.

document + personas ─► character, type, difficulty ─► document + these ─► query
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from sdg.tasks import TASKS, Parsed, Prepared
from sdg.tasks.choices import ChoosingTask, Weights, equally
from sdg.tasks.json_reply import STRING, object_of, one_of, whole_number
from sdg.tasks.prompted import fenced, query_or_reason
from sdg.tasks.specified_query import DIFFICULTIES, LENGTHS, QUESTION_TYPES


@TASKS.register("configured_query")
class ConfiguredQuery(ChoosingTask):
    """A query of a kind that the LLM chose for the document, by a person whom it chose.

    The key "personas" of a request's spec lists who may ask, one line of text each; the LLM names
    one by its number. Without the key it is the one of the key "persona", or anybody. What it chose
    is `persona`, `question_type` and `difficulty` of the row's spec.

    After Qwen3-Embedding (arXiv 2506.05176, appendix), which offers five personas, the nearest of
    Persona Hub, and shows three worked examples; here there are none. Its lengths are not
    published: those of E5-Mistral (arXiv 2401.00368) are drawn, by equal weights, own.

    Attributes:
        lengths: Weight of each length of the query in words.
    """

    reads_personas: ClassVar[bool] = True
    reply_schema: ClassVar[Mapping[str, Any]] = object_of(query=STRING)
    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = (
        object_of(character={"type": "integer"}, question_type=STRING, difficulty=STRING),
    )

    lengths: Weights = Field(default=equally(*LENGTHS))

    def weights(self) -> Mapping[str, Mapping[str, float]]:
        """Return the lengths."""
        return {"length": self.lengths}

    def described(self) -> Mapping[str, Collection[str]]:
        """Return the lengths, what the LLM chooses from, and what anybody is called."""
        return {
            **self.weights(),
            "question_type": QUESTION_TYPES,
            "difficulty": DIFFICULTIES,
            "persona": ("anyone",),
        }

    def asked_schema(self, step: int | None, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema that offers only the numbers and names there are."""
        if step is None:
            return self.reply_schema
        return object_of(
            character=whole_number(1, len(_offered(request))),
            question_type=one_of(*QUESTION_TYPES),
            difficulty=one_of(*DIFFICULTIES),
        )

    def preparation_variables(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002
    ) -> dict[str, str]:
        """Return the document and the numbered list of who may ask."""
        lines = [
            f"{number}. {self.person(request, persona)}"
            for number, persona in enumerate(_offered(request), start=1)
        ]
        personas = fenced("\n".join(lines), "persons")
        return {"personas": personas, "document": fenced(document["text"])}

    def parse_preparation(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],
        value: dict[str, Any],
    ) -> Prepared:
        """Return the persona itself, "" for anybody, beside type and difficulty.

        Reasons: `character_not_offered`, `question_type_not_offered`, `difficulty_not_offered`.
        """
        offered = _offered(request)
        if not 1 <= value["character"] <= len(offered):
            return Prepared(None, "character_not_offered")
        for name, names in (("question_type", QUESTION_TYPES), ("difficulty", DIFFICULTIES)):
            if value[name] not in names:
                return Prepared(None, f"{name}_not_offered")
        chosen = {name: value[name] for name in ("question_type", "difficulty")}
        return Prepared({"persona": offered[value["character"] - 1], **chosen}, "")

    def facts_of(self, request: Mapping[str, Any], answers: Sequence[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return what the LLM chose."""
        return dict(answers[0])

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return the document, who asks, and the words of what was chosen and drawn."""
        chosen = {**self.spec_of(request), **answers[0]}
        kinds = ("question_type", "difficulty", "length")
        words = {name: self.words(request, name, chosen[name]) for name in kinds}
        person = fenced(self.person(request, chosen["persona"]), "person")
        return {**words, "persona": person, "document": fenced(document["text"])}

    def parse(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - a reply says all
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the query; reasons: `empty_reply`, `several_lines`."""
        return [query_or_reason(value["query"])]


def _offered(request: Mapping[str, Any]) -> list[str]:
    """Return who may ask; [""], anybody, if nobody is named."""
    spec = json.loads(request["spec"])
    return spec.get("personas") or [spec.get("persona", "")]
