"""Two long texts that belong together, for a brainstormed task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from sdg.tasks import TASKS, Parsed
from sdg.tasks.brainstormed import BrainstormedTask
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.written_row import row_or_reason, written_as


@TASKS.register("long_long")
class LongLong(BrainstormedTask):
    """E5-Mistral's long-long matching (arXiv 2401.00368): no negative, it would take too long.

    The query is a text of several paragraphs and keeps its line breaks.

    Attributes:
        min_words: What the LLM is asked for of each text; 300 is E5-Mistral's. Not checked.
    """

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(
        input_text=STRING, positive_document=STRING
    )

    min_words: int = Field(default=300, ge=1)

    def variables(
        self, request: Mapping[str, Any], document: Mapping[str, Any], answers: Sequence[Any]
    ) -> dict[str, str]:
        """Return the description and the length."""
        return {**super().variables(request, document, answers), "min_words": str(self.min_words)}

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the given text with the wanted one; reasons as in `row_or_reason`."""
        language = request["document_language"]
        written = written_as("positive", [value["positive_document"]], language)
        return [row_or_reason(value["input_text"], written, is_one_line=False)]
