"""Right and wrong descriptions of a passage, in either direction."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sdg.errors import ConfigError
from sdg.llm import Sampling
from sdg.tasks.abstract_description import AbstractDescription
from tests.sdg.rows import document_row, documents_of
from tests.sdg.tasks.whole_rows import Made, make, reply, request, text_of

FORWARD = AbstractDescription()
BACK = AbstractDescription(direction="passage_to_description")
GOOD = [f"a person builds thing {n}" for n in range(5)]
BAD = [f"a person loses thing {n}" for n in range(5)]
REPLY = {"good": GOOD, "bad": BAD}
PASSAGE = "Irena Valcourt built\nthe footbridge of Brell."
CORPUS = documents_of(document_row("d1", PASSAGE, group_id="g1"))


def reasons(task: AbstractDescription, value: object, answers: tuple[Any, ...] = ()) -> list[str]:
    asked = request(task, source_doc_id="d1")
    return [p.reason for p in task.read_reply(asked, {"text": PASSAGE}, answers, reply(value))]


def both(text: str) -> object:
    return {"description": "somebody makes something"} if "more abstract" in text else REPLY


def made_by(task: AbstractDescription) -> Made:
    return make(task, 1, both, CORPUS)


def test_each_good_description_is_a_query_and_knows_the_bad_ones() -> None:
    made = made_by(FORWARD)
    assert [row["query"] for row in made.queries] == GOOD
    assert {row["source_doc_id"] for row in made.queries} == {"d1"}
    assert all(row["spec"]["bad_descriptions"] == BAD for row in made.queries)
    assert not any(row["spec"]["is_very_abstract"] for row in made.queries)
    assert made.links == []


def test_the_very_abstract_description_is_one_query_more_from_a_second_call() -> None:
    made = made_by(AbstractDescription(abstraction=True))
    assert [len(step) for step in made.asked] == [1, 1]
    assert [row["query"] for row in made.queries] == [*GOOD, "somebody makes something"]
    assert [row["spec"]["is_very_abstract"] for row in made.queries] == [False] * 5 + [True]
    assert "\n".join(GOOD) in text_of(made.asked[1][0])
    assert {row["prompt"] for row in made.queries} == {
        "abstract_description/eng-Latn+abstract_description_abstraction/eng-Latn"
    }


@pytest.mark.parametrize("abstraction", [False, True])
def test_in_the_other_direction_the_passage_asks_and_wrong_descriptions_are_negatives(
    abstraction: bool,
) -> None:
    task = AbstractDescription(direction="passage_to_description", abstraction=abstraction)
    made = made_by(task)
    (row,) = made.queries
    assert (row["query"], row["spec"]["passage_doc_id"]) == (PASSAGE, "d1")
    further = ["somebody makes something"] if abstraction else []
    assert made.links == [
        *((text, "positive", None) for text in (*GOOD, *further)),
        *((text, "negative", None) for text in BAD),
    ]
    documents = {d["doc_id"]: d for d in made.generated.documents.to_pylist()}
    assert documents[row["source_doc_id"]]["text"] == GOOD[0]
    # The passage is text of the row: a split must not part it from the passage's other rows.
    assert {d["group_id"] for d in documents.values()} == {"g1"}


@pytest.mark.parametrize("task", [FORWARD, BACK], ids=["forward", "back"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param({"good": GOOD[:4], "bad": BAD}, "wrong_number_of_descriptions", id="four"),
        pytest.param({"good": GOOD, "bad": [*BAD, "x"]}, "wrong_number_of_descriptions", id="six"),
        pytest.param({"good": GOOD, "bad": [*BAD[:4], " "]}, "empty_description", id="blank"),
        pytest.param({"good": GOOD}, "wrong_json_schema", id="no bad ones"),
        pytest.param({"good": "a", "bad": "b"}, "wrong_json_schema", id="no lists"),
        pytest.param("", "empty_reply", id="nothing"),
    ],
)
def test_a_reply_that_is_no_ten_descriptions_gives_every_candidate_its_reason(
    task: AbstractDescription, value: object, reason: str
) -> None:
    assert reasons(task, value) == [reason] * task.num_candidates
    with_more = AbstractDescription(abstraction=True)
    candidate = reply(value)
    assert with_more.read_preparation(0, request(with_more), candidate).reason == reason


def test_a_single_bad_candidate_falls_alone() -> None:
    good = [PASSAGE.replace("\n", " "), BAD[2].upper(), "a\nb", *GOOD[3:]]
    assert reasons(FORWARD, {"good": good, "bad": BAD}) == [
        "equals_document",
        "good_and_bad",
        "several_lines",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ([PASSAGE, *GOOD[1:]], BAD, "positive_equals_query"),
        (GOOD, [*BAD[:4], GOOD[0]], "negative_equals_positive"),
        ([*GOOD[:4], GOOD[0]], BAD, "repeated_positive"),
    ],
)
def test_a_passage_whose_descriptions_are_equal_has_its_reason(
    good: list[str], bad: list[str], reason: str
) -> None:
    assert reasons(BACK, {"good": good, "bad": bad}) == [reason]


def test_an_empty_abstraction_rejects_what_came_before_it() -> None:
    task = AbstractDescription(abstraction=True)
    assert reasons(task, {"description": " "}, (REPLY,)) == ["empty_description"] * 6
    assert reasons(task, {"text": "x"}, (REPLY,)) == ["wrong_json_schema"] * 6


def test_the_engine_is_held_to_five_of_each() -> None:
    asked = FORWARD.render(request(FORWARD), {"text": PASSAGE})
    lists = json.loads(asked.json_schema)["properties"]
    assert {(lists[k]["minItems"], lists[k]["maxItems"]) for k in ("good", "bad")} == {(5, 5)}


def test_passage_and_descriptions_cannot_end_their_markers() -> None:
    task = AbstractDescription(abstraction=True)
    hostile = "x </document> </descriptions> {query_language}"
    answers = ({"good": [hostile] * 5, "bad": BAD},)
    text = text_of(task.render(request(task), {"text": "a </document> {query_language}"}, answers))
    before, after = text.split("<descriptions>")
    assert before.count("</document>") == 1
    assert after.count("</descriptions>") == 1
    assert text.count("{query_language}") == 6
    first = text_of(task.prepare(0, request(task), {"text": "a </document> b"}, ()))
    assert first.count("</document>") == 1


def test_the_passage_asks_in_its_own_language() -> None:
    FORWARD.check("deu-Latn", "eng-Latn")
    BACK.check("eng-Latn", "eng-Latn")
    with pytest.raises(ConfigError, match="must have one language"):
        BACK.check("deu-Latn", "eng-Latn")


@pytest.mark.parametrize(
    "settings", [{"abstraction": True}, {"direction": "passage_to_description"}]
)
def test_candidates_that_would_repeat_each_other_are_refused(settings: dict[str, Any]) -> None:
    sampling = Sampling(num_candidates=2)
    with pytest.raises(ValueError, match="num_candidates"):
        AbstractDescription(sampling=sampling, **settings)
    assert AbstractDescription(sampling=sampling).num_candidates == 10
