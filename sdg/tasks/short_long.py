"""A short query, a document that serves it and one that seems to, for a brainstormed task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sdg.tasks import TASKS, Parsed
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.retrieval_task import RetrievalTask
from sdg.tasks.written_row import row_or_reason, written_as


@TASKS.register("short_long")
class ShortLong(RetrievalTask):
    """E5-Mistral's short-long matching (arXiv 2401.00368): query, positive, hard negative."""

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(
        user_query=STRING, positive_document=STRING, hard_negative_document=STRING
    )

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the query with its two documents; reasons as in `row_or_reason`."""
        language = request["document_language"]
        written = (
            *written_as("positive", [value["positive_document"]], language),
            *written_as("negative", [value["hard_negative_document"]], language),
        )
        return [row_or_reason(value["user_query"], written)]
