"""Two short texts that belong together, for a brainstormed task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sdg.tasks import TASKS, Parsed
from sdg.tasks.brainstormed import BrainstormedTask
from sdg.tasks.json_reply import STRING, object_of
from sdg.tasks.written_row import row_or_reason, written_as


@TASKS.register("short_short")
class ShortShort(BrainstormedTask):
    """E5-Mistral's short-short matching (arXiv 2401.00368): no negative is written."""

    reply_schema: ClassVar[Mapping[str, Any]] = object_of(input_text=STRING, positive_text=STRING)

    def parse(self, request: Mapping[str, Any], value: dict[str, Any]) -> list[Parsed]:
        """Return the given text with the wanted one; reasons as in `row_or_reason`."""
        language = request["document_language"]
        written = written_as("positive", [value["positive_text"]], language)
        return [row_or_reason(value["input_text"], written)]
