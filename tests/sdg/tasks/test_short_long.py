"""A query with the document that serves it and the one that does not."""

from __future__ import annotations

import json

import pytest

from sdg.errors import ConfigError
from sdg.tasks import Written
from sdg.tasks.short_long import ShortLong
from tests.sdg.tasks.whole_rows import make, read_one, request, text_of

TASK = ShortLong()
GOOD = {
    "user_query": "who built the bridge of Brell",
    "positive_document": "Irena Valcourt built it.",
    "hard_negative_document": "The bridge of Arvik has a toll.",
}


def test_a_reply_is_a_query_a_positive_and_a_negative_in_the_documents_language() -> None:
    parsed = read_one(TASK, GOOD, document_language="fra-Latn")
    assert (parsed.query, parsed.reason) == ("who built the bridge of Brell", "")
    assert parsed.written == (
        Written("Irena Valcourt built it.", "fra-Latn", "positive"),
        Written("The bridge of Arvik has a toll.", "fra-Latn", "negative"),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"user_query": ""}, "empty_query", id="no query"),
        pytest.param({"user_query": "a\nb"}, "several_lines", id="a query of two lines"),
        pytest.param({"positive_document": " "}, "empty_positive", id="no positive"),
        pytest.param({"hard_negative_document": ""}, "empty_negative", id="no negative"),
        pytest.param(
            {"positive_document": GOOD["user_query"] + "?"}, "positive_equals_query", id="echo"
        ),
        pytest.param(
            {"hard_negative_document": GOOD["positive_document"]},
            "negative_equals_positive",
            id="twins",
        ),
        pytest.param({"user_query": None}, "wrong_json_schema", id="null"),
        pytest.param({"why": "x"}, "wrong_json_schema", id="another key"),
    ],
)
def test_a_reply_that_is_no_row_has_its_reason(change: dict[str, object], reason: str) -> None:
    parsed = read_one(TASK, {**GOOD, **change})
    assert (parsed.query, parsed.reason, parsed.written) == ("", reason, ())


def test_the_question_holds_the_task_and_all_that_was_drawn() -> None:
    spec = {
        "brainstorm": 0,
        "item": 0,
        "query_type": "long_tail",
        "query_length": "5-15",
        "difficulty": "phd",
        "clarity": "ambiguous",
        "num_words": 300,
    }
    asked = request(
        TASK, spec=json.dumps(spec), query_language="tha-Thai", document_language="deu-Latn"
    )
    text = text_of(TASK.render(asked, {}, ["Find letters about bridges"]))
    for line in (
        "Find letters about bridges",
        "Kind of query wanted: long_tail",
        "Words in the query: 5-15",
        "Education needed to understand the query and the documents: phd",
        "Clarity wanted: ambiguous",
        "at least 300 words",
        "the query in Thai and the documents in German",
    ):
        assert line in text


def test_the_row_is_about_what_was_written_for_it() -> None:
    made = make(TASK, 1, lambda text: {"tasks": ["Find builders"]} if "Think up" in text else GOOD)
    (row,) = made.queries
    texts = {d["doc_id"]: d for d in made.generated.documents.to_pylist()}
    assert texts[row["source_doc_id"]]["text"] == "Irena Valcourt built it."
    assert row["instruction"] == "Find builders"
    assert made.links == [
        ("Irena Valcourt built it.", "positive", None),
        ("The bridge of Arvik has a toll.", "negative", None),
    ]
    assert {d["source"] for d in texts.values()} == {"generated:m"}


def test_settings_narrow_what_is_drawn_and_unknown_values_are_refused() -> None:
    task = ShortLong(num_words=(30,), difficulties=("phd",))
    specs = [task.draw_spec(seed, seed) for seed in range(50)]
    assert {(spec["num_words"], spec["difficulty"]) for spec in specs} == {(30, "phd")}
    with pytest.raises(ValueError, match="difficulties"):
        ShortLong.model_validate({"difficulties": ["hard"]})
    with pytest.raises(ValueError, match="clarities"):
        ShortLong(clarities=())


def test_languages_without_a_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="qqq-Latn"):
        TASK.check("eng-Latn", "qqq-Latn")
