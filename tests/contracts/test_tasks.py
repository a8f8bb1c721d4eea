"""What every task promises; a new file in sdg/tasks/ is covered at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import prompts
from sdg.llm import Candidate
from sdg.tasks import TASKS, CopyTask, LlmTask, Task
from tests.sdg.rows import document_row

# Settings without a default; a new task adds a line only if it has such.
SETTINGS: Mapping[str, Mapping[str, Any]] = {"natural_text": {"kind": "title"}}
REQUEST = {
    "request_id": "r1",
    "task": "",
    "source_doc_id": "d1",
    "generator": "m",
    "document_language": "eng-Latn",
    "query_language": "eng-Latn",
    "seed": 1,
    "spec": "{}",
}
# What a task that varies an accepted row is told of it.
VARIED = {"query_id": "q1", "query": "who built the bridge", "instruction": ""}
ANY = {"type": "string"}
DOCUMENT = document_row(text="A footbridge.", natural_texts=[{"kind": "title", "text": "Bridge"}])


def build(name: str) -> Task:
    return TASKS.build({"task": name, **SETTINGS.get(name, {})})


def request_of(task: Task) -> dict[str, Any]:
    spec = {**(VARIED if task.varies else {}), **task.draw_spec(1, 0)}
    return {**REQUEST, "spec": json.dumps(spec)}


def sample_of(schema: Mapping[str, Any]) -> Any:
    """Return the smallest value that obeys a schema and is not empty."""
    if schema["type"] == "object":
        return {name: sample_of(part) for name, part in schema["properties"].items()}
    if schema["type"] == "array":
        return [sample_of(schema["items"])] * max(schema.get("minItems", 0), 1)
    if schema["type"] == "integer":
        return schema.get("minimum", 0)
    return schema.get("enum", ["a sample"])[0]


def answers_for(task: LlmTask, request: Mapping[str, Any]) -> list[Any]:
    """Return one answer to each preparation, as the task reads it."""
    answers: list[Any] = []
    for step in range(task.num_preparations):
        asked = task.prepare(step, request, DOCUMENT, answers)
        text = json.dumps(sample_of(json.loads(asked.json_schema)))
        prepared = task.read_preparation(step, request, Candidate(text, "stop", None))
        assert not prepared.reason
        answers.append(prepared.value)
    return answers


@pytest.fixture(params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return build(request.param)


def test_the_tasks_of_today_are_registered() -> None:
    assert {"llm_query", "natural_text"} <= set(TASKS)


def test_a_task_either_asks_an_llm_or_copies(task: Task) -> None:
    assert isinstance(task, LlmTask) is not isinstance(task, CopyTask)
    assert task.asks_llm is isinstance(task, LlmTask)


def test_a_task_accepts_english_and_gives_at_least_one_candidate(task: Task) -> None:
    task.check("eng-Latn", "eng-Latn")
    assert task.num_candidates >= 1
    assert task.label


def test_identity_is_json_and_the_same_for_two_equal_tasks(task: Task) -> None:
    assert json.dumps(task.identity(), sort_keys=True) == json.dumps(
        build(task.name).identity(), sort_keys=True
    )


def test_using_a_task_does_not_change_its_identity(task: Task) -> None:
    before = task.identity()
    asked = request_of(task)
    task.prompt_use(asked)
    if isinstance(task, LlmTask):
        task.render(asked, DOCUMENT, answers_for(task, asked))
        task.read_reply(asked, DOCUMENT, answers_for(task, asked), Candidate("x", "stop", None))
    assert task.identity() == before


def test_a_task_that_asks_an_llm_says_which_prompt_it_used(task: Task) -> None:
    use = task.prompt_use(REQUEST)
    assert bool(use.names) is task.asks_llm
    assert bool(use.sha256) is task.asks_llm
    if task.asks_llm:
        assert "eng-Latn" in prompts.languages(task.name)


def test_rendering_keeps_the_requests_key_and_holds_what_it_is_about(task: Task) -> None:
    """The document, or for tasks that vary a query without reading the document that query."""
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    request = request_of(task)
    answers = answers_for(task, request)
    asked = task.render(request, DOCUMENT, answers)
    before = [task.prepare(s, request, DOCUMENT, answers[:s]) for s in range(len(answers))]
    texts = [one.prompt + "".join(t.text for t in one.messages) for one in (*before, asked)]
    about = ["A footbridge.", *([VARIED["query"]] if task.varies == "query" else [])]
    assert asked.key == "r1"
    assert any(subject in text for text in texts for subject in about)
    assert bool(asked.prompt) is not bool(asked.messages)


def test_a_spec_is_json_and_the_same_for_the_same_seed(task: Task) -> None:
    drawn = [task.draw_spec(seed, seed) for seed in range(20)]
    assert drawn == [task.draw_spec(seed, seed) for seed in range(20)]
    assert json.loads(json.dumps(drawn)) == drawn


def test_preparations_and_last_question_of_a_drawn_request_can_be_asked(task: Task) -> None:
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    request = request_of(task)
    answers = answers_for(task, request)
    asked = task.render(request, DOCUMENT, answers)
    reply = Candidate(
        json.dumps(sample_of(json.loads(asked.json_schema or "{}") or ANY)), "stop", 0
    )
    read = task.read_reply(request, DOCUMENT, answers, reply)
    assert len(read) * asked.sampling.num_candidates == task.num_candidates
    json.dumps(task.facts_of(request, answers) if answers else {})


@pytest.mark.parametrize(
    "text", ["", " ", "{", "\x00", "null", '{"query": null}', "a\nb", "\ud800"]
)
def test_reading_any_reply_gives_a_query_or_a_reason(task: Task, text: str) -> None:
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    for finish_reason in ("stop", "length"):
        asked = request_of(task)
        reply = Candidate(text, finish_reason, None)
        for parsed in task.read_reply(asked, DOCUMENT, answers_for(task, asked), reply):
            assert bool(parsed.query) is not bool(parsed.reason)
