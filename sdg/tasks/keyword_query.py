"""A query of search terms, as people type them into a search box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field, model_validator

from sdg.ids import comparison_key, seed_for
from sdg.tasks import TASKS, Parsed
from sdg.tasks.choices import ChoosingTask
from sdg.tasks.json_reply import STRING, any_list_of, list_of, object_of
from sdg.tasks.prompted import fenced, one_line


@TASKS.register("keyword_query")
class KeywordQuery(ChoosingTask):
    """Search terms that lead to the document, one space between two of them.

    How many is drawn for each request, every number equally often, and stands in its spec as
    `num_terms`: left alone, an LLM fills the list. Terms as a list, not as one text, so that a
    sentence is no reply. The bounds are own: the recipes name keywords as a kind of query
    (Qwen3-Embedding, arXiv 2506.05176) and no number.

    Attributes:
        min_terms: Fewest terms.
        max_terms: Most terms.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(terms=any_list_of(STRING))

    min_terms: int = Field(default=2, ge=1)
    max_terms: int = Field(default=6, ge=1)

    @model_validator(mode="after")
    def _check_bounds(self) -> KeywordQuery:
        if self.max_terms < self.min_terms:
            raise ValueError(
                f"`max_terms` must be at least `min_terms`, but is {self.max_terms} and "
                f"`min_terms` {self.min_terms} instead. Raise it"
            )
        return self

    def draw_spec(self, seed: int, number: int) -> dict[str, Any]:  # noqa: ARG002 - no turns
        """Return the number of terms."""
        span = self.max_terms - self.min_terms + 1
        return {"num_terms": self.min_terms + seed_for(seed, "num_terms") % span}

    def asked_schema(self, step: int | None, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the schema of a list of as many terms as were drawn."""
        count = self.spec_of(request)["num_terms"]
        return object_of(terms=list_of(STRING, count, count))

    def variables(
        self,
        request: Mapping[str, Any],
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002 - asks nothing before
    ) -> dict[str, str]:
        """Return the document and the number of terms."""
        count = self.spec_of(request)["num_terms"]
        return {"document": fenced(document["text"]), "num_terms": str(count)}

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the terms in their order.

        Reasons: `too_few_terms`, `too_many_terms`, `empty_term`, `several_lines` (in one term),
        `repeated_term`.
        """
        terms = [one_line(term) for term in value["terms"]]
        reason = _reason(terms, self.spec_of(request)["num_terms"])
        return [Parsed("", reason) if reason else Parsed(" ".join(terms), "")]


def _reason(terms: Sequence[str], wanted: int) -> str:
    if len(terms) != wanted:
        return "too_few_terms" if len(terms) < wanted else "too_many_terms"
    if not all(terms):
        return "empty_term"
    if any("\n" in term for term in terms):
        return "several_lines"
    return "repeated_term" if len({comparison_key(t) for t in terms}) < wanted else ""
