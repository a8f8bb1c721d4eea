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
    "document_language": "eng-Latn",
    "query_language": "eng-Latn",
    "seed": 1,
    "spec": "{}",
}
DOCUMENT = document_row(text="A footbridge.", natural_texts=[{"kind": "title", "text": "Bridge"}])


def build(name: str) -> Task:
    return TASKS.build({"task": name, **SETTINGS.get(name, {})})


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
    task.prompt_use(REQUEST)
    if isinstance(task, LlmTask):
        task.render(REQUEST, DOCUMENT)
        task.read(REQUEST, Candidate("x", "stop", None))
    assert task.identity() == before


def test_a_task_that_asks_an_llm_says_which_prompt_it_used(task: Task) -> None:
    use = task.prompt_use(REQUEST)
    assert bool(use.names) is task.asks_llm
    assert bool(use.sha256) is task.asks_llm
    if task.asks_llm:
        assert "eng-Latn" in prompts.languages(task.name)


def test_rendering_keeps_the_requests_key_and_holds_the_document(task: Task) -> None:
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    asked = task.render(REQUEST, DOCUMENT)
    text = asked.prompt + "".join(turn.text for turn in asked.messages)
    assert asked.key == "r1"
    assert "A footbridge." in text
    assert bool(asked.prompt) is not bool(asked.messages)


@pytest.mark.parametrize(
    "text", ["", " ", "{", "\x00", "null", '{"query": null}', "a\nb", "\ud800"]
)
def test_reading_any_reply_gives_a_query_or_a_reason(task: Task, text: str) -> None:
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    for finish_reason in ("stop", "length"):
        for parsed in task.read(REQUEST, Candidate(text, finish_reason, None)):
            assert bool(parsed.query) is not bool(parsed.reason)
