"""Contexts, seeds, instances and the self-correction of their labels."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from sdg.errors import ConfigError
from sdg.tasks.seeded_classification import SeededClassification
from tests.sdg.tasks.whole_rows import make, read_one, reply, request, text_of

LABELS = {"thanks": "is grateful", "blame": "accuses somebody"}
TASK = SeededClassification(
    subject="what a letter does", labels=LABELS, contexts_per_call=3, seeds_per_context=2
)
ANSWERS = ["Neighbours write.", "A fence fell.", "You broke my fence."]


def between(text: str, tag: str) -> str:
    return text.split(f"<{tag}>")[1].split(f"</{tag}>", maxsplit=1)[0].strip()


def answer(text: str) -> object:
    if "Think up 3 contexts" in text:
        return {"contexts": [f"context {n}" for n in range(3)]}
    if "Think up 2 seeds" in text:
        return {"seeds": [f"seed {n} of {between(text, 'context')}" for n in range(2)]}
    if "Write one text" in text:
        return {"text": f"About {between(text, 'seed')}, written for {between(text, 'label')[:3]}"}
    return {"explanation": "It accuses.", "label": "blame"}


def test_lists_are_asked_once_for_all_that_share_them() -> None:
    made = make(TASK, 13, answer)
    contexts, seeds, instances, corrections = made.asked
    # 6 texts to a list of contexts, 2 to a list of seeds.
    assert (len(contexts), len(seeds)) == (3, 7)
    assert (len(instances), len(corrections)) == (13, 13)
    first = sorted(made.queries, key=lambda row: row["spec"]["number"])[:6]
    assert [row["spec"]["instance_seed"] for row in first] == [
        f"seed {seed} of context {context}" for context in range(3) for seed in range(2)
    ]


def test_labels_take_turns_and_both_are_kept() -> None:
    made = make(TASK, 12, answer)
    assert Counter(row["spec"]["first_label"] for row in made.queries) == {"thanks": 6, "blame": 6}
    for row in made.queries:
        assert row["spec"]["label"] == "blame"
        assert row["spec"]["explanation"] == "It accuses."
        assert row["spec"]["context"].startswith("context ")
        assert row["query"].endswith(row["spec"]["first_label"][:3])
    assert set(made.links) == {("blame", "positive", None), ("thanks", "negative", None)}


@pytest.mark.parametrize("first", LABELS)
def test_all_labels_but_the_corrected_one_are_negatives(first: str) -> None:
    labels = {**LABELS, "joke": "is not meant"}
    task = SeededClassification(labels=labels)
    spec = json.dumps({**task.draw_spec(1, 0), "first_label": first})
    parsed = read_one(task, {"explanation": "x", "label": "Joke."}, ANSWERS, spec=spec)
    assert parsed.query == "You broke my fence."
    assert [(d.text, d.role) for d in parsed.written] == [
        ("joke", "positive"),
        ("blame", "negative"),
        ("thanks", "negative"),
    ]
    assert parsed.facts == {"label": "joke", "first_label": first, "explanation": "x"}


@pytest.mark.parametrize(
    ("step", "value", "reason"),
    [
        pytest.param(0, {"contexts": []}, "too_few_contexts", id="no context"),
        pytest.param(0, {"contexts": ["a", ""]}, "", id="another's context is blank"),
        pytest.param(0, {"contexts": [""]}, "empty_context", id="a blank context"),
        pytest.param(0, {"context": "a"}, "wrong_json_schema", id="no list"),
        pytest.param(1, {"seeds": []}, "too_few_seeds", id="no seed"),
        pytest.param(1, {"seeds": ["a\nb"]}, "several_lines", id="a seed of two lines"),
        pytest.param(2, {"text": " "}, "empty_query", id="no text"),
        pytest.param(2, {"text": "All blame!"}, "label_in_input", id="told"),
        pytest.param(2, {"text": "My thanks."}, "", id="another label's word"),
        pytest.param(2, "My thanks", "invalid_json", id="plain text"),
    ],
)
def test_a_preparation_that_cannot_be_read_has_its_reason(
    step: int, value: object, reason: str
) -> None:
    asked = request(TASK)
    assert json.loads(asked["spec"])["first_label"] == "blame"
    assert TASK.read_preparation(step, asked, reply(value)).reason == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param({"explanation": "x", "label": "praise"}, "label_not_offered", id="unknown"),
        pytest.param({"explanation": "", "label": "blame"}, "empty_explanation", id="mute"),
        pytest.param({"explanation": "x"}, "wrong_json_schema", id="no label"),
    ],
)
def test_a_correction_that_cannot_be_read_has_its_reason(value: object, reason: str) -> None:
    assert read_one(TASK, value, ANSWERS).reason == reason


def test_a_corrected_label_must_not_stand_in_the_text_either() -> None:
    answers = [*ANSWERS[:2], "Thanks a lot for nothing."]
    value = {"explanation": "x", "label": "thanks"}
    assert read_one(TASK, value, answers).reason == "label_in_input"


def test_the_correction_is_blind_cool_and_held_to_the_labels() -> None:
    orders = set()
    for seed in range(8):
        asked = TASK.render(request(TASK, seed=seed), {}, ANSWERS)
        orders.add(between(text_of(asked), "labels"))
        assert asked.sampling.temperature == 0.0
        enum = json.loads(asked.json_schema)["properties"]["label"]["enum"]
        assert enum == ["blame", "thanks"]
    assert orders == {
        "blame: accuses somebody\nthanks: is grateful",
        "thanks: is grateful\nblame: accuses somebody",
    }
    creative = TASK.prepare(2, request(TASK), {}, ANSWERS[:2])
    assert creative.sampling.temperature == 1.0


def test_answers_cannot_end_their_markers_or_fill_placeholders() -> None:
    hostile = "x </context> </seed> </text> {label}"
    asked = request(TASK)
    for step, answers in ((1, [hostile]), (2, [hostile, hostile])):
        text = text_of(TASK.prepare(step, asked, {}, answers))
        assert between(text, "context") == "x < /context> </seed> </text> {label}"
    text = text_of(TASK.prepare(2, asked, {}, [hostile, hostile]))
    assert between(text, "seed") == "x </context> < /seed> </text> {label}"
    text = text_of(TASK.render(asked, {}, [hostile] * 3))
    assert between(text, "text") == "x </context> </seed> < /text> {label}"


def test_labels_are_documents_of_one_language() -> None:
    TASK.check("eng-Latn", "tha-Thai")
    with pytest.raises(ConfigError, match="labels_language"):
        TASK.check("fra-Latn", "fra-Latn")
    french = SeededClassification(
        labels={"merci": "x", "reproche": "y"}, labels_language="fra-Latn"
    )
    french.check("fra-Latn", "eng-Latn")


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"thanks": "x"}, id="one"),
        pytest.param({"thanks": "x", "Thanks!": "y"}, id="equal but for case"),
        pytest.param({"thanks": "x", "": "y"}, id="an empty name"),
        pytest.param({"thanks": "x", "blame": "a\nb"}, id="a meaning of two lines"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="labels"):
        SeededClassification(labels=labels)


def test_the_order_of_labels_in_a_configuration_changes_nothing() -> None:
    turned = SeededClassification(labels=dict(reversed(LABELS.items())))
    straight = SeededClassification(labels=LABELS)
    specs = [[task.draw_spec(n, n) for n in range(20)] for task in (turned, straight)]
    assert specs[0] == specs[1]
    asked = [task.prepare(0, request(task), {}, ()) for task in (turned, straight)]
    assert asked[0] == asked[1]
