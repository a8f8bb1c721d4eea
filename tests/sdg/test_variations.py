"""Which accepted rows are varied, and that the choice depends on nothing it should not."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sdg.errors import ConfigError
from sdg.ids import content_id
from sdg.schemas import REQUESTS
from sdg.variations import Variation, plan_variations
from tests.sdg.rows import queries_of, query_row

ENG, FRA = "eng-Latn", "fra-Latn"
PARAPHRASE = {"task": "paraphrase_query"}


def rows_of(count: int, prefix: str = "", **fields: Any) -> pa.Table:
    return queries_of(
        *(
            query_row(
                content_id("q", prefix, str(n)),
                f"query {n} {prefix}".strip(),
                source_doc_id=f"d{n}",
                instruction="Find it",
                **fields,
            )
            for n in range(count)
        )
    )


def variation(**fields: Any) -> Variation:
    return Variation.model_validate({"task": PARAPHRASE, "generator": "m"} | fields)


def varied(rows: pa.Table, *variations: Variation, seed: int = 1) -> list[dict[str, Any]]:
    kept = plan_variations(rows, variations, seed).kept
    return [{**row, "spec": json.loads(row["spec"])} for row in kept.to_pylist()]


def ids_of(rows: pa.Table, *variations: Variation, seed: int = 1) -> set[str]:
    return {row["spec"]["query_id"] for row in varied(rows, *variations, seed=seed)}


def test_a_request_says_which_row_it_varies_and_asks_about_its_document() -> None:
    rows = rows_of(1, query_language=FRA)
    (row,) = varied(rows, variation())
    assert row["source_doc_id"] == "d0"
    assert (row["document_language"], row["query_language"]) == (ENG, FRA)
    assert (row["task"], row["generator"], row["num_candidates"]) == ("paraphrase_query", "m", 1)
    assert row["spec"] == {
        "query_id": rows["query_id"][0].as_py(),
        "query": "query 0",
        "instruction": "Find it",
        "style": "direct",
    }


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_plan_depends_neither_on_the_order_of_rows_nor_of_shards(data: st.DataObject) -> None:
    rows = pa.concat_tables([rows_of(9), rows_of(6, "b", task="natural_title")])
    asked = [variation(share=0.5), variation(task={"task": "augmented_query"}, count=4)]
    order = data.draw(st.permutations(range(rows.num_rows)))
    expected = plan_variations(rows, asked, 1)
    found = plan_variations(rows.take(order), asked, 1)
    assert found.kept.equals(expected.kept)
    assert found.rejected.equals(expected.rejected)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 40), share=st.floats(0.01, 1))
def test_a_share_is_the_same_however_the_rows_are_cut(cut: int, share: float) -> None:
    rows, asked = rows_of(40), variation(share=share)
    parts = ids_of(rows.slice(0, cut), asked) | ids_of(rows.slice(cut), asked)
    assert parts == ids_of(rows, asked)


@settings(max_examples=25, deadline=None)
@given(small=st.integers(1, 30), more=st.integers(1, 9))
def test_a_larger_count_keeps_every_request(small: int, more: int) -> None:
    rows = rows_of(25)
    few = plan_variations(rows, [variation(count=small)], 1)
    many = plan_variations(rows, [variation(count=small + more)], 1)
    assert few.rows_in == small
    assert few.kept.num_rows == min(small, 25)
    assert {str(row) for row in few.kept.to_pylist()} <= {str(r) for r in many.kept.to_pylist()}


def test_a_share_is_about_as_large_as_it_says_and_another_seed_chooses_others() -> None:
    rows = rows_of(2000)
    first, second = (ids_of(rows, variation(share=0.3), seed=seed) for seed in (1, 2))
    assert 540 < len(first) < 660
    assert 130 < len(first & second) < 230


def test_two_tasks_choose_their_rows_independently() -> None:
    rows = rows_of(1000)
    other = variation(task={"task": "augmented_query"}, share=0.5)
    both = ids_of(rows, variation(share=0.5)) & ids_of(rows, other)
    assert 200 < len(both) < 300


def test_what_a_count_lacks_is_counted_with_its_reason() -> None:
    result = plan_variations(rows_of(2), [variation(count=4, per_row=3)], 1)
    assert (result.rows_in, result.kept.num_rows) == (12, 6)
    assert result.rejected["reason"].to_pylist() == ["too_few_rows"] * 6
    assert set(result.rejected["stage"].to_pylist()) == {"vary"}
    assert len(set(result.rejected["row_id"].to_pylist())) == 6


def test_only_rows_of_fitting_tasks_and_languages_are_varied() -> None:
    rows = pa.concat_tables(
        [
            rows_of(2, "a", task="llm_query"),
            rows_of(2, "b", task="llm_query", query_language=FRA),
            rows_of(2, "c", task="natural_title"),
        ]
    )
    ids = rows["query_id"].to_pylist()
    assert ids_of(rows, variation(tasks=["llm_*"], languages=[FRA])) == set(ids[2:4])
    assert ids_of(rows, variation(tasks=["natural_*", "nothing"])) == set(ids[4:])
    assert ids_of(rows, variation(tasks=["nothing"])) == set()


def test_variations_are_not_varied() -> None:
    rows = pa.concat_tables([rows_of(1), rows_of(3, "p", paraphrase_of="q")])
    assert ids_of(rows, variation()) == {rows["query_id"][0].as_py()}


def test_each_request_of_a_row_has_its_own_draw_generator_and_seed() -> None:
    pool = {"generator": "", "generators": {"a": 1, "b": 3}}
    task = {"task": "paraphrase_query", "style": "register"}
    found = varied(rows_of(200), variation(**pool, task=task, per_row=2))
    assert len({row["request_id"] for row in found}) == len({row["seed"] for row in found}) == 400
    assert 60 < Counter(row["generator"] for row in found)["a"] < 140
    styles = Counter(row["spec"]["style"] for row in found)
    assert set(styles) == {"formal", "casual", "expert", "child"}
    pairs: dict[str, set[str]] = {}
    for row in found:
        pairs.setdefault(row["spec"]["query_id"], set()).add(row["spec"]["style"])
    assert any(len(styles) == 2 for styles in pairs.values())


def test_who_prepares_is_part_of_the_request() -> None:
    (row,) = varied(rows_of(1), variation(task={"task": "back_translation"}, prepared_by="other"))
    assert row["spec"]["prepared_by"] == "other"
    assert row["request_id"] != varied(rows_of(1), variation())[0]["request_id"]


def test_a_request_that_two_variations_ask_for_is_planned_once() -> None:
    result = plan_variations(rows_of(3), [variation(), variation(tasks=["llm_query"])], 1)
    assert (result.rows_in, result.kept.num_rows) == (6, 3)
    assert result.rejected["reason"].to_pylist() == ["already_planned"] * 3


def test_requests_lie_by_task_and_generator_then_id() -> None:
    pool = {"generator": "", "generators": {"a": 1, "b": 1}}
    both = [variation(**pool), variation(task={"task": "augmented_query"})]
    kept = plan_variations(rows_of(9), both, 1).kept
    keys = [(r["task"], r["generator"], r["request_id"]) for r in kept.to_pylist()]
    assert kept.schema == REQUESTS
    assert keys == sorted(keys)


def test_a_row_in_a_language_that_the_task_cannot_serve_is_refused() -> None:
    rows = rows_of(1, query_language="qqq-Latn")
    with pytest.raises(ConfigError, match="qqq-Latn"):
        plan_variations(rows, [variation()], 1)


def test_no_rows_give_no_requests() -> None:
    result = plan_variations(rows_of(0), [variation(), variation(count=1)], 1)
    assert (result.rows_in, result.kept.num_rows) == (1, 0)
    assert plan_variations(rows_of(2), [], 1).rows_in == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": {"task": "llm_query"}}, "must vary accepted rows"),
        ({"share": 0.5, "count": 3}, "must not both be given"),
        ({"share": 0}, "greater than 0"),
        ({"share": 1.1}, "less than or equal to 1"),
        ({"generator": ""}, "must name a generator"),
        ({"generators": {"b": 1}}, "must not both be given"),
        ({"tasks": []}, "at least 1"),
    ],
)
def test_a_variation_that_cannot_work_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        variation(**fields)


def test_a_variation_survives_a_round_trip_through_json() -> None:
    asked = variation(count=3, tasks=["llm_*"])
    assert Variation.model_validate(asked.model_dump(mode="json")) == asked
