"""An accepted query, translated into another language and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sdg.errors import ConfigError
from sdg.ids import seed_for
from sdg.language_names import english_name
from sdg.tasks import TASKS, Parsed, Prepared
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.prompted import fenced, one_line, refusal_of
from sdg.tasks.varied import VariedQuery, spec_of

_Language = Annotated[str, Field(pattern=r"^[a-z]{3}-[A-Z][a-z]{3}$")]


@TASKS.register("back_translation")
class BackTranslation(VariedQuery):
    """The same question in the words that a way through another language leaves.

    The second question sees the translation only: with the old query before it, a model would give
    that back. With `prepared_by`, one model translates there and another one back.

    Attributes:
        pivots: Languages to go through, one drawn per request; a query never goes through its own
            language. Own: four that most open models write well.
    """

    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = (object_of(translation=STRING),)

    pivots: tuple[_Language, ...] = Field(
        default=("deu-Latn", "eng-Latn", "fra-Latn", "spa-Latn"), min_length=1
    )

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - from the seed
        """Return one or two pivots; the first that is not the query's language is used."""
        first = seed_for(seed, "pivot") % len(self.pivots)
        others = [p for p in self.pivots if p != self.pivots[first]]
        further = others[seed_for(seed, "further pivot") % len(others) :][:1] if others else []
        return {"pivots": [self.pivots[first], *further]}

    def check(self, document_language: str, query_language: str) -> None:
        """Load the prompts, and name the languages.

        Raises:
            ConfigError: If a prompt cannot be used, or there is no language to go through.
        """
        super().check(document_language, query_language)
        if not set(self.pivots) - {query_language}:
            raise ConfigError(
                f"`pivots` of task {self.label!r} must hold another language than that of the "
                f"queries, but are {list(self.pivots)}. Add one, or leave {query_language} out of "
                "the variation's `languages`."
            )
        for pivot in self.pivots:
            english_name(pivot)

    def preparation_variables(
        self,
        step: int,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return the query and the language to translate it into."""
        values = super().variables(request, document, answers)
        return {**values, "pivot_language": self._pivot_name(step, request)}

    def parse_preparation(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],  # noqa: ARG002 - a translation of any length will do
        value: dict[str, Any],
    ) -> Prepared:
        """Return the translation; reasons `empty_reply`, `several_lines`."""
        text = one_line(value["translation"])
        reason = refusal_of(text)
        return Prepared(None if reason else text, reason)

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],  # noqa: ARG002 - its words would find their way in
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return the translation and its language."""
        (translation,) = answers
        return {
            "translation": fenced(translation, "query"),
            "pivot_language": self._pivot_name(None, request),
        }

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the query that came back, with its `pivot`; reasons as for any variation."""
        (parsed,) = super().parse(request, value)
        if parsed.reason:
            return [parsed]
        return [Parsed(parsed.query, "", facts={"pivot": _pivot(request)})]

    def _pivot_name(self, step: int | None, request: Mapping[str, Any]) -> str:
        return self._language_name(_pivot(request), self._prompt(step, request))


def _pivot(request: Mapping[str, Any]) -> str:
    """Return the language that a request goes through; `check` made sure that there is one."""
    pivots: list[str] = spec_of(request)["pivots"]
    return next(p for p in pivots if p != request["query_language"])
