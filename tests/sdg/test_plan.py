"""Which documents are chosen, and that the choice depends on nothing it should not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sdg.errors import ConfigError
from sdg.ids import content_id
from sdg.plan import INDEX, PlanConfig, index_documents, plan_requests
from tests.sdg.rows import document_row, documents_of

ENG, FRA = "eng-Latn", "fra-Latn"
LLM = {"task": "llm_query", "sampling": {"num_candidates": 3}}
TITLES = {"task": "natural_text", "kind": "title"}


def index_of(*topics: str, language: str = ENG, characters: int = 300, **fields: Any) -> pa.Table:
    rows = [
        {
            "doc_id": content_id("d", language, topic, str(number)),
            "language": language,
            "topic": topic,
            "num_characters": characters,
            "natural_kinds": ["title"],
            "parent_id": content_id("d", language, topic, str(number)),
        }
        | fields
        for number, topic in enumerate(topics)
    ]
    return pa.Table.from_pylist(rows, schema=INDEX)


def plan_of(*counts: int, task: Any = LLM, **fields: Any) -> PlanConfig:
    """Return a plan of one entry with one English quota per count, in eng-Latn, then fra-Latn."""
    languages = [ENG, FRA]
    quotas = [
        {"documents": ENG, "queries": language, "count": count}
        for language, count in zip(languages, counts, strict=False)
    ]
    generator = "m" if task is LLM else ""
    entry = {"task": task, "generator": generator, "quotas": quotas} | fields
    return PlanConfig.model_validate({"entries": [entry]})


def chosen(index: pa.Table, config: PlanConfig, seed: int = 1) -> list[str]:
    return plan_requests(index, config, seed).kept["source_doc_id"].to_pylist()


def test_every_topic_is_served_equally_until_it_has_no_document_left() -> None:
    index = index_of(*["arts"] * 50, *["war"] * 3, *["sea"] * 20)
    kept = plan_requests(index, plan_of(23), 1).kept
    assert Counter(kept["topic"].to_pylist()) == {"arts": 10, "sea": 10, "war": 3}


def test_what_a_quota_lacks_is_counted_with_its_reason() -> None:
    result = plan_requests(index_of("a", "b"), plan_of(5), 1)
    assert (result.rows_in, result.kept.num_rows) == (5, 2)
    assert result.rejected["reason"].to_pylist() == ["too_few_documents"] * 3
    assert len(set(result.rejected["row_id"].to_pylist())) == 3


@pytest.mark.parametrize(
    ("characters", "is_chosen"), [(199, False), (200, True), (700, True), (701, False)]
)
def test_length_bounds_include_their_ends(characters: int, is_chosen: bool) -> None:
    index = index_of("a", characters=characters)
    config = plan_of(1, min_characters=200, max_characters=700)
    assert (plan_requests(index, config, 1).kept.num_rows == 1) is is_chosen


def test_only_documents_of_the_quotas_language_are_chosen() -> None:
    french = index_of("a", "b", language=FRA)
    both = pa.concat_tables([index_of("a", "b"), french])
    assert set(chosen(both, plan_of(4))).isdisjoint(french["doc_id"].to_pylist())
    assert len(chosen(both, plan_of(4))) == 2


def test_natural_text_is_planned_only_where_it_stands_beside_the_document() -> None:
    with_title = index_of("a", "b")
    index = pa.concat_tables([with_title, index_of("c", "d", natural_kinds=["anchor"])])
    assert set(chosen(index, plan_of(4, task=TITLES))) == set(with_title["doc_id"].to_pylist())


def test_a_request_says_what_is_asked_of_whom() -> None:
    row = plan_requests(index_of("arts"), plan_of(1), 1).kept.to_pylist()[0]
    assert row["task"] == "llm_query"
    assert (row["document_language"], row["query_language"]) == (ENG, ENG)
    assert (row["topic"], row["generator"]) == ("arts", "m")
    assert row["num_candidates"] == 3
    assert 0 <= row["seed"] < 2**63


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_plan_does_not_depend_on_the_order_of_the_input(data: st.DataObject) -> None:
    index = index_of(*["a"] * 9, *["b"] * 4)
    order = data.draw(st.permutations(range(index.num_rows)))
    expected = plan_requests(index, plan_of(7), 1)
    found = plan_requests(index.take(order), plan_of(7), 1)
    assert found.kept.equals(expected.kept)
    assert found.rejected.equals(expected.rejected)


@settings(max_examples=40, deadline=None)
@given(
    topics=st.lists(st.sampled_from("abc"), max_size=20),
    count=st.integers(1, 25),
    more=st.integers(1, 5),
)
def test_a_larger_count_keeps_every_request_and_its_seed(
    topics: list[str], count: int, more: int
) -> None:
    """Otherwise raising a count would pay for answers that the journal already holds."""
    small = plan_requests(index_of(*topics), plan_of(count), 1)
    large = plan_requests(index_of(*topics), plan_of(count + more), 1)
    assert small.rows_in == count
    assert small.kept.num_rows == min(count, len(topics))
    small_rows = {tuple(row.values()) for row in small.kept.to_pylist()}
    assert small_rows <= {tuple(row.values()) for row in large.kept.to_pylist()}


@settings(max_examples=40, deadline=None)
@given(topics=st.lists(st.sampled_from("abc"), min_size=1, max_size=20), count=st.integers(1, 20))
def test_no_topic_is_behind_another_by_more_than_one_while_it_has_documents(
    topics: list[str], count: int
) -> None:
    kept = plan_requests(index_of(*topics), plan_of(count), 1).kept
    served = Counter(kept["topic"].to_pylist())
    for topic, available in Counter(topics).items():
        assert served[topic] == available or served[topic] >= max(served.values()) - 1


def test_another_seed_chooses_other_documents() -> None:
    index = index_of(*["a"] * 200)
    first, second = set(chosen(index, plan_of(20), 1)), set(chosen(index, plan_of(20), 2))
    assert first != second
    assert len(first & second) < 10


def test_an_entry_added_to_the_plan_changes_nobody_elses_requests() -> None:
    index = index_of(*["a"] * 30)
    alone = plan_requests(index, plan_of(5), 1).kept.to_pylist()
    entries = (*plan_of(5).entries, *plan_of(9, task=TITLES).entries)
    together = plan_requests(index, PlanConfig(entries=entries), 1).kept.to_pylist()
    assert alone == [row for row in together if row["task"] == "llm_query"]


def test_requests_lie_by_task_and_generator_then_id() -> None:
    entries = (*plan_of(6, 6).entries, *plan_of(6, task=TITLES).entries)
    kept = plan_requests(index_of(*["a"] * 9), PlanConfig(entries=entries), 1).kept.to_pylist()
    keys = [(row["task"], row["generator"], row["request_id"]) for row in kept]
    assert len(keys) == 18
    assert keys == sorted(keys)


def test_a_request_that_two_entries_ask_for_is_planned_once() -> None:
    entries = plan_of(4).entries * 2
    result = plan_requests(index_of(*["a"] * 9), PlanConfig(entries=entries), 1)
    assert (result.rows_in, result.kept.num_rows) == (8, 4)
    assert result.rejected["reason"].to_pylist() == ["already_planned"] * 4


def test_an_empty_corpus_gives_only_rejections() -> None:
    result = plan_requests(INDEX.empty_table(), plan_of(3), 1)
    assert (result.kept.num_rows, result.rejected.num_rows) == (0, 3)


def test_the_choice_is_pinned() -> None:
    """Changes only with a new version of the stage: finished runs would no longer be resumed."""
    index = index_of(*["a"] * 6)
    numbers = {doc_id: n for n, doc_id in enumerate(index["doc_id"].to_pylist())}
    assert sorted(numbers[doc_id] for doc_id in chosen(index, plan_of(3))) == [0, 1, 4]


def test_a_language_without_a_prompt_is_refused_before_anything_is_asked() -> None:
    quota = {"documents": ENG, "queries": "qaa-Latn", "count": 1}
    config = plan_of(1, quotas=[quota])
    with pytest.raises(ConfigError, match="qaa-Latn"):
        plan_requests(index_of("a"), config, 1)


def test_natural_text_in_another_language_than_the_document_is_refused() -> None:
    with pytest.raises(ConfigError, match="must equal `documents`"):
        plan_requests(index_of("a"), plan_of(1, 1, task=TITLES), 1)


@pytest.mark.parametrize(
    ("task", "generator", "holds"),
    [(LLM, "", "name a generator"), (TITLES, "m", "be empty")],
    ids=["an LLM's task without one", "a natural text with one"],
)
def test_an_entry_has_a_generator_exactly_if_its_task_asks_one(
    task: Any, generator: str, holds: str
) -> None:
    with pytest.raises(ValidationError, match=holds):
        plan_of(1, task=task, generator=generator)


def test_two_settings_of_one_task_are_refused() -> None:
    other = plan_of(1, task={**LLM, "shape": "completion"}, generator="m2").entries
    with pytest.raises(ValidationError, match="'llm_query' has two"):
        PlanConfig(entries=(*plan_of(1).entries, *other))


def test_a_task_that_was_used_still_equals_one_that_was_not() -> None:
    """Regression: prompts remembered by one task made its equal look like other settings."""
    used, fresh = plan_of(1), plan_of(2)
    plan_requests(index_of("a"), used, 1)
    both = PlanConfig(entries=(*used.entries, *fresh.entries))
    assert list(both.tasks()) == ["llm_query"]


def test_a_plan_survives_a_round_trip_through_json() -> None:
    config = plan_of(3, 2)
    assert PlanConfig.model_validate(config.model_dump(mode="json")) == config


def test_index_counts_characters_and_lists_kinds() -> None:
    text = {"kind": "title", "text": "T"}
    first = documents_of(
        document_row("d1", "naïve", topic="arts", natural_texts=[text, {**text, "kind": "anchor"}]),
        document_row("d2", "", natural_texts=[]),
    )
    index = index_documents([first, documents_of(document_row("d3", "桥"))])
    assert index.schema == INDEX
    assert index["doc_id"].to_pylist() == ["d1", "d2", "d3"]
    assert index["num_characters"].to_pylist() == [5, 0, 1]
    assert index["natural_kinds"].to_pylist() == [["title", "anchor"], [], []]
    assert index_documents([]).num_rows == 0


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (TITLES, "prompts say who asks .*'natural_text' says nothing"),
        ({"task": "llm_query"}, "configured_query, specified_query"),
        ({"task": "short_long"}, "'short_long' says nothing of it instead. Leave them out"),
        ({"task": "paraphrase_query"}, "varies accepted rows"),
    ],
)
def test_personas_stand_beside_tasks_whose_prompts_say_who_asks(task: Any, says: str) -> None:
    generator = "" if task is TITLES else "m"
    with pytest.raises(ValidationError, match=says):
        plan_of(1, task=task, generator=generator, personas={"path": "packaged"})


def test_two_choices_of_personas_for_one_task_are_refused() -> None:
    """A request names its task, not its entry: who asks must follow from that."""
    asked = {"task": {"task": "specified_query"}, "generator": "m"}
    with_personas = plan_of(1, **asked, personas={"path": "packaged"}).entries
    with pytest.raises(ValidationError, match="'specified_query' has two"):
        PlanConfig(entries=(*plan_of(1, **asked).entries, *with_personas))


def test_a_task_of_one_question_is_prepared_by_nobody() -> None:
    with pytest.raises(ValidationError, match="'llm_query' asks one only"):
        plan_of(1, task={"task": "llm_query"}, generator="m", prepared_by="other")
