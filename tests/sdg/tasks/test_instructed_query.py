"""The LLM writes the instruction, too."""

from __future__ import annotations

import pytest

from sdg.errors import ConfigError
from sdg.tasks.instructed_query import InstructedQuery
from tests.sdg.tasks.asked import HELD, HOSTILE, read_one, rendered

TASK = InstructedQuery()


def test_task_and_query_become_instruction_and_query() -> None:
    parsed = read_one(TASK, {"task": ' "Find it." ', "query": "who built it"})
    assert (parsed.instruction, parsed.query, parsed.reason) == ("Find it.", "who built it", "")


@pytest.mark.parametrize(
    ("task", "query", "reason"),
    [
        ("", "q", "instruction_empty_reply"),
        ("a\nb", "q", "instruction_several_lines"),
        ("Find it.", "", "empty_reply"),
        ("Find it.", "a\nb", "several_lines"),
        (None, "q", "wrong_json_schema"),
    ],
)
def test_an_instruction_or_query_that_is_none_is_a_reason(
    task: object, query: str, reason: str
) -> None:
    parsed = read_one(TASK, {"task": task, "query": query})
    assert (parsed.reason, parsed.instruction) == (reason, "")


def test_the_instruction_is_in_english_unless_another_language_is_set() -> None:
    assert '"your task in English", "query": "your query in Thai"' in rendered(
        TASK, query_language="tha-Thai"
    )
    own = InstructedQuery(instruction_language="")
    assert '"your task in Thai", "query": "your query in Thai"' in rendered(
        own, query_language="tha-Thai"
    )


def test_a_language_without_a_name_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ConfigError, match="qqq-Latn"):
        InstructedQuery(instruction_language="qqq-Latn").check("eng-Latn", "eng-Latn")


def test_a_document_stays_text() -> None:
    text = rendered(TASK, text=HOSTILE)
    assert text.count("</document>") == 1
    assert HELD in text
