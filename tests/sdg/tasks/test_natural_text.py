"""Text that people wrote beside a document."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sdg.errors import ConfigError
from sdg.tasks.natural_text import NaturalText
from tests.sdg.rows import document_row

DOCUMENT = document_row(
    natural_texts=[
        {"kind": "title", "text": "Bridge of Brell"},
        {"kind": "description", "text": " footbridge\n in the\u00a0Pyrenees "},
        {"kind": "description", "text": "second"},
    ]
)


def test_the_first_text_of_the_kind_is_taken_on_one_line() -> None:
    assert NaturalText(kind="description").text_beside(DOCUMENT) == "footbridge in the Pyrenees"


def test_a_kind_the_document_lacks_gives_nothing() -> None:
    assert NaturalText(kind="anchor").text_beside(DOCUMENT) == ""
    assert NaturalText(kind="title").text_beside(document_row()) == ""


def test_each_kind_is_a_task_of_its_own_in_the_card() -> None:
    assert NaturalText(kind="description").label == "natural_description"
    assert NaturalText(kind="title").label == "natural_title"


def test_natural_text_refuses_a_query_language_other_than_the_documents() -> None:
    """Regression: an English description was labelled French when a quota said so."""
    with pytest.raises(ConfigError, match=r"fra-Latn.*eng-Latn"):
        NaturalText(kind="title").check("eng-Latn", "fra-Latn")


def test_a_kind_must_be_a_name() -> None:
    with pytest.raises(ValidationError, match="kind"):
        NaturalText(kind="Short description")
