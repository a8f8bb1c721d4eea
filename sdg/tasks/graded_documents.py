"""A query and documents at four levels of relevance, for a brainstormed retrieval task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sdg.tasks import TASKS, Parsed, Written
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.retrieval_task import RetrievalTask
from sdg.tasks.written_row import row_or_reason, written_as

# Grade -> key of the reply; what the grades mean is said in the prompt, as to the judge `graded`.
GRADED_KEYS: Mapping[int, str] = {grade: f"document_{grade}" for grade in (3, 2, 1, 0)}


def graded_documents(value: Mapping[str, Any], language: str) -> tuple[Written, ...]:
    """Return the documents of a reply by falling grade: 3 is the positive, the rest negatives."""
    return tuple(
        document
        for grade, key in GRADED_KEYS.items()
        for document in written_as(
            "positive" if grade == max(GRADED_KEYS) else "negative", [value[key]], language, grade
        )
    )


@TASKS.register("graded_documents")
class GradedDocuments(RetrievalTask):
    """SyCL's four levels (arXiv 2503.23239), for a query that the LLM writes, too.

    SyCL takes its queries from MS MARCO; `graded_for_query` does so with accepted ones. That
    queries are varied by E5-Mistral's brainstorm and placeholders is own.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(
        user_query=STRING, **dict.fromkeys(GRADED_KEYS.values(), STRING)
    )

    def folder(self, step: int | None) -> str:
        """Return the folder of prompts; the brainstorm is that of `short_long`."""
        return self.name if step is None else f"short_long_{step}"

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the query with its four documents; reasons as in `row_or_reason`."""
        written = graded_documents(value, request["document_language"])
        return [row_or_reason(value["user_query"], written)]
