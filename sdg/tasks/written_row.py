"""A row whose texts all come from an LLM: whether they can stand together.

Shared by the tasks that write documents. What looks at languages and at words shared in part is the
stage `write`'s affair (sdg/written.py); here a row falls whose texts are empty or equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sdg.ids import comparison_key, normalise_text
from sdg.tasks import Parsed, Role, Written
from sdg.tasks.prompted import one_line


def written_as(
    role: Role, texts: Sequence[str], language: str, grade: int | None = None
) -> tuple[Written, ...]:
    """Return normalised documents of one role."""
    return tuple(Written(normalise_text(text), language, role, grade) for text in texts)


def row_or_reason(
    query: str,
    written: Sequence[Written],
    *,
    is_one_line: bool = True,
    facts: Mapping[str, Any] | None = None,
) -> Parsed:
    """Return the query with its documents, or why they cannot stand together.

    Args:
        query: As the LLM wrote it.
        written: As `written_as` returns them, the first positive first.
        is_one_line: True for queries that somebody types, False for texts that are matched.
        facts: Of the parsed query.

    Returns:
        Reasons, the first that holds: `empty_query`, `several_lines`, `empty_positive`,
        `empty_negative`, `positive_equals_query`, `repeated_positive`, `negative_equals_query`,
        `negative_equals_positive`, `repeated_negative`. Equal means equal `ids.comparison_key`.
    """
    text = one_line(query) if is_one_line else normalise_text(query)
    reason = _reason(text, written, is_one_line=is_one_line)
    return Parsed("", reason) if reason else Parsed(text, "", "", facts or {}, tuple(written))


def _reason(query: str, written: Sequence[Written], *, is_one_line: bool) -> str:
    if not query:
        return "empty_query"
    if is_one_line and "\n" in query:
        return "several_lines"
    for document in written:
        if not document.text:
            return f"empty_{document.role}"
    seen = {comparison_key(query): "query"}
    for document in sorted(written, key=lambda one: one.role == "negative"):
        key = comparison_key(document.text)
        before = seen.get(key, "")
        if before:
            is_again = before == document.role
            return f"repeated_{before}" if is_again else f"{document.role}_equals_{before}"
        seen[key] = document.role
    return ""
