"""A query in two questions: an extractive summary of the document, then a query from both.

document ─► summary ─► document + summary ─► query
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sdg.ids import normalise_text
from sdg.llm import Sampling
from sdg.tasks import TASKS, Parsed, Prepared
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.prompted import PromptedTask, fenced, query_or_reason, shared_by_document


@TASKS.register("summarised_query")
class SummarisedQuery(PromptedTask):
    """A query about what a summary shows to be the document's matter; the summary is a fact.

    After SWIM-IR's summarise-then-ask (arXiv 2311.05800), whose summary is extractive, in the
    language of the passage; its 3 to 5 worked examples are left out. A document's requests share
    one summary.

    Attributes:
        sampling: Longest reply 512 tokens, own: a summary is longer than a query.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(query=STRING)
    preparation_schemas: ClassVar[tuple[Mapping[str, Any], ...]] = (object_of(summary=STRING),)

    sampling: Sampling = Sampling(max_tokens=512)

    def shared_by(self, step: int, request: Mapping[str, Any]) -> str:
        """Return the document and the languages."""
        return shared_by_document(self, step, request)

    def preparation_variables(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],  # noqa: ARG002
        document: Mapping[str, Any],
        answers: Sequence[Any],  # noqa: ARG002
    ) -> dict[str, str]:
        """Return the document."""
        return {"document": fenced(document["text"])}

    def parse_preparation(
        self,
        step: int,  # noqa: ARG002 - there is one
        request: Mapping[str, Any],  # noqa: ARG002
        value: dict[str, Any],
    ) -> Prepared:
        """Return the summary; reason: `empty_summary`."""
        summary = normalise_text(value["summary"])
        return Prepared({"summary": summary}, "") if summary else Prepared(None, "empty_summary")

    def facts_of(self, request: Mapping[str, Any], answers: Sequence[Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the summary."""
        return dict(answers[0])

    def variables(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - nothing varies
        document: Mapping[str, Any],
        answers: Sequence[Any],
    ) -> dict[str, str]:
        """Return the document and its summary."""
        summary = fenced(answers[0]["summary"], "summary")
        return {"document": fenced(document["text"]), "summary": summary}

    def parse(
        self,
        request: Mapping[str, Any],  # noqa: ARG002 - a reply says all
        value: dict[str, Any],
    ) -> list[Parsed]:
        """Return the query; reasons: `empty_reply`, `several_lines`."""
        return [query_or_reason(value["query"])]
