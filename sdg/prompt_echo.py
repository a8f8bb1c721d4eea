"""Queries that stand in the prompt itself: small models reply with the example of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdg.ids import comparison_key
from sdg.tasks import LlmTask
from sdg.words import SPACELESS_SCRIPTS

# A shorter query may stand in a prompt by chance; own.
_LEAST_WORDS = 3
# Of a query in a script without spaces between words.
_LEAST_LETTERS = 8


class PromptEcho:
    """Knows the instructions of tasks by the languages they are asked in."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], str] = {}

    def is_in(self, task: LlmTask, request: Mapping[str, Any], key: str) -> bool:
        """Return whether the prompt of a request says the words of a query in this order.

        Args:
            task: The request's.
            request: REQUESTS row.
            key: `comparison_key` of the query; one too short to tell is not in it.
        """
        is_spaced = request["query_language"].rpartition("-")[2] not in SPACELESS_SCRIPTS
        if is_spaced and len(key.split(" ")) < _LEAST_WORDS:
            return False
        if not is_spaced and len(key) < _LEAST_LETTERS:
            return False
        asked = (task.label, request["document_language"], request["query_language"])
        if asked not in self._known:
            self._known[asked] = f" {comparison_key(task.instructions(request))} "
        return (f" {key} " if is_spaced else key) in self._known[asked]
