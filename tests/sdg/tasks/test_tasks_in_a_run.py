"""Tasks of the plan from documents to queries, answered by the scripted engine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from sdg.answers import Ask, ask_preparation
from sdg.generate import Generated, generate
from sdg.ids import content_id
from sdg.llm import ENGINES, Candidate, ChatRequest, Reply
from sdg.plan import PlanConfig, index_documents, plan_requests
from sdg.tasks import LlmTask
from tests.sdg.rows import document_row, documents_of

ENGLISH = "eng-Latn"
SUBJECTS = ("lighthouse", "glacier", "orchard", "windmill", "harbour", "monastery")
TASKS = (
    "specified_query",
    "configured_query",
    "summarised_query",
    "keyword_query",
    "instructed_query",
    "several_queries",
    "multi_document_query",
    "passage_part",
)


def corpus() -> pa.Table:
    rows = []
    for subject in SUBJECTS:
        text = (
            f"The {subject} of Arvik attracts thousands of curious visitors every summer. "
            f"Engineers repaired the {subject} carefully after destructive storms. "
            f"Neighbouring villages celebrate the {subject} during an annual festival."
        )
        doc_id = content_id("d", text)
        rows.append(document_row(doc_id, text, topic="places", parent_id=doc_id))
    return documents_of(*rows)


def plan_of(task: str, **settings: Any) -> PlanConfig:
    entry: dict[str, Any] = {
        "task": {"task": task, **settings},
        "generator": "" if task == "passage_part" else "m",
        "per_document": 2,
        "quotas": [{"documents": ENGLISH, "queries": ENGLISH, "count": 3}],
    }
    return PlanConfig.model_validate({"entries": [entry]})


def answer(asked: Sequence[ChatRequest]) -> list[Reply]:
    return list(ENGINES.build({"engine": "scripted"}).complete(asked))


def say_nothing(asked: Sequence[ChatRequest]) -> list[Reply]:
    return [Reply(one.key, (Candidate("{}", "stop", None),), "", "", 0, 0) for one in asked]


def run(
    task: str, spec: dict[str, Any] | None = None, last: Ask = answer, **settings: Any
) -> Generated:
    """Return what two requests for each of three documents give.

    Args:
        task: Its name.
        spec: Joins what was drawn.
        last: Answers the last questions.
        **settings: Of the task.
    """
    documents, config = corpus(), plan_of(task, **settings)
    requests = plan_requests(index_documents([documents]), config, 5).kept
    if spec:
        joined = [json.dumps(json.loads(one) | spec) for one in requests["spec"].to_pylist()]
        place = requests.schema.get_field_index("spec")
        requests = requests.set_column(place, requests.schema.field("spec"), pa.array([*joined]))
    tasks = config.tasks()
    prepared: list[pa.Table] = []
    (one,) = tasks.values()
    for step in range(one.num_preparations if isinstance(one, LlmTask) else 0):
        prepared.append(ask_preparation(step, requests, documents, tasks, prepared, answer, seed=1))
    return generate(requests, documents, tasks, last, prepared=prepared)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_gives_rows_and_every_candidate_is_kept_or_rejected(task: str) -> None:
    result = run(task).result
    each = 7 if task == "several_queries" else 1
    assert result.rows_in == 6 * each
    assert result.kept.num_rows >= 4
    assert result.kept.num_rows + result.rejected.num_rows == result.rows_in
    # Two draws of the scripted engine may be equal.
    equal = {"duplicate_candidate", "repeated_term"}
    assert set(result.rejected["reason"].to_pylist()) <= equal


def test_what_the_llm_chose_stands_in_the_spec_and_the_persona_in_its_column() -> None:
    personas = ["a ferryman", "a nurse"]
    kept = run("configured_query", {"personas": personas}).result.kept
    for row in kept.to_pylist():
        spec = json.loads(row["spec"])
        assert row["persona"] == spec["persona"] == "a ferryman"
        assert {"question_type", "difficulty", "length"} <= set(spec)
        assert row["prompt"] == "configured_query_0/eng-Latn+configured_query/eng-Latn"


def test_requests_for_one_document_keep_the_one_summary_they_share() -> None:
    kept = run("summarised_query").result.kept.to_pylist()
    summaries = {(row["source_doc_id"], json.loads(row["spec"])["summary"]) for row in kept}
    assert Counter(row["source_doc_id"] for row in kept).most_common()[-1][1] == 2
    assert len(summaries) == 3


def test_a_rejected_query_still_tells_what_was_prepared() -> None:
    result = run("configured_query", last=say_nothing).result
    assert result.kept.num_rows == 0
    for text in result.rejected["row"].to_pylist():
        assert {"persona", "question_type", "difficulty"} <= set(
            json.loads(json.loads(text)["spec"])
        )


def test_a_preparation_that_failed_says_nothing_of_the_query() -> None:
    documents, config = corpus(), plan_of("summarised_query")
    requests = plan_requests(index_documents([documents]), config, 5).kept
    failed = ask_preparation(0, requests, documents, config.tasks(), (), say_nothing, seed=1)
    result = generate(requests, documents, config.tasks(), answer, prepared=[failed]).result
    assert set(result.rejected["reason"].to_pylist()) == {"preparation_wrong_json_schema"}
    assert "summary" not in json.loads(json.loads(result.rejected["row"][0].as_py())["spec"])


def test_answer_and_types_of_each_query_stand_in_its_spec() -> None:
    kept = run("several_queries", num_multi_hop=0, num_contextual=0).result.kept
    specs = [json.loads(spec) for spec in kept["spec"].to_pylist()]
    assert {"answer", "query_type", "reasoning_type", "hops", "complexity"} <= set(specs[0])
    assert {spec["query_type"] for spec in specs} == {"structural"}


def test_the_written_instruction_is_the_rows_instruction() -> None:
    kept = run("instructed_query", instruction="Find it").result.kept.to_pylist()
    # The scripted engine ends every text after the first with its key.
    assert all(row["instruction"].endswith(" task") for row in kept)


def test_all_documents_of_a_query_over_several_become_its_positives() -> None:
    made = run("multi_document_query", num_documents=3)
    for row in made.result.kept.to_pylist():
        own = [link for link in made.links.to_pylist() if link["query_id"] == row["query_id"]]
        companions = json.loads(row["spec"])["companions"]
        assert {link["doc_id"] for link in own} == set(companions)
        assert {link["role"] for link in own} == {"positive"}
        assert row["source_doc_id"] not in companions
        assert len(companions) == 2
        assert len(json.loads(row["spec"])["steps"]) == 3


def test_a_document_without_a_fitting_part_is_a_reason_of_its_own() -> None:
    result = run("passage_part", min_characters=299).result
    assert set(result.rejected["reason"].to_pylist()) == {"no_part_of_fitting_length"}
