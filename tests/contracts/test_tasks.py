"""What every task promises; a new file in sdg/tasks/ is covered at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import prompts
from sdg.llm import ENGINES, Candidate, ChatRequest
from sdg.tasks import TASKS, CopyTask, LlmTask, Task
from tests.sdg.rows import document_row

# Settings without a default; a new task adds a line only if it has such.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "natural_text": {"kind": "title"},
    # What the scripted engine writes is short.
    "written_negative": {"min_words": 1},
}
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
# Documents' and queries' language where English and English will not do.
LANGUAGES: Mapping[str, tuple[str, str]] = {"bitext_triple": ("deu-Latn", "eng-Latn")}
DOCUMENT = document_row(text="A footbridge.", natural_texts=[{"kind": "title", "text": "Bridge"}])


def build(name: str) -> Task:
    return TASKS.build({"task": name, **SETTINGS.get(name, {})})


def request_of(task: Task) -> dict[str, Any]:
    documents, queries = LANGUAGES.get(task.name, ("eng-Latn", "eng-Latn"))
    spec = {**(VARIED if task.varies else {}), **task.draw_spec(3, 0)}
    return {
        **REQUEST,
        "document_language": documents,
        "query_language": queries,
        "spec": json.dumps(spec),
    }


def document_of(task: Task) -> dict[str, Any]:
    return DOCUMENT if task.is_grounded else {}


def scripted_reply(asked: ChatRequest) -> Candidate:
    (reply,) = ENGINES.build({"engine": "scripted"}).complete([asked])
    return reply.candidates[0]


def answers_of(task: LlmTask, request: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the answers to all preparations, as the scripted engine gives them."""
    answers: tuple[Any, ...] = ()
    for step in range(task.num_preparations):
        asked = task.prepare(step, request, document_of(task), answers)
        prepared = task.read_preparation(step, request, scripted_reply(asked))
        assert prepared.reason == ""
        answers = (*answers, prepared.value)
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
    task.check(*LANGUAGES.get(task.name, ("eng-Latn", "eng-Latn")))
    assert task.num_candidates >= 1
    assert task.label


def test_identity_is_json_and_the_same_for_two_equal_tasks(task: Task) -> None:
    assert json.dumps(task.identity(), sort_keys=True) == json.dumps(
        build(task.name).identity(), sort_keys=True
    )


def test_using_a_task_does_not_change_its_identity(task: Task) -> None:
    before = task.identity()
    request = request_of(task)
    task.prompt_use(request)
    if isinstance(task, LlmTask):
        task.render(request, document_of(task), answers_of(task, request))
        task.read(request, Candidate("x", "stop", None))
    assert task.identity() == before


def test_a_task_that_asks_an_llm_says_which_prompt_it_used(task: Task) -> None:
    use = task.prompt_use(REQUEST)
    assert bool(use.names) is task.asks_llm
    assert bool(use.sha256) is task.asks_llm
    if task.asks_llm:
        assert "eng-Latn" in prompts.languages(task.name)


def test_rendering_keeps_the_requests_key_and_holds_what_it_is_about(task: Task) -> None:
    """The document; the query, if that is rewritten; nothing, if the LLM writes all texts."""
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    request = request_of(task)
    answers = answers_of(task, request)
    asked = task.render(request, document_of(task), answers)
    questions = [
        *(task.prepare(s, request, document_of(task), answers[:s]) for s in range(len(answers))),
        asked,
    ]
    text = "".join(one.prompt + "".join(turn.text for turn in one.messages) for one in questions)
    assert asked.key == "r1"
    reads = "A footbridge." in text or (task.varies == "query" and VARIED["query"] in text)
    assert reads is task.is_grounded
    assert bool(asked.prompt) is not bool(asked.messages)


def test_a_spec_is_json_and_the_same_for_the_same_seed(task: Task) -> None:
    drawn = [task.draw_spec(seed, seed) for seed in range(20)]
    assert drawn == [task.draw_spec(seed, seed) for seed in range(20)]
    assert json.loads(json.dumps(drawn)) == drawn


def test_preparations_and_last_question_of_a_drawn_request_can_be_asked(task: Task) -> None:
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    request = request_of(task)
    answers = answers_of(task, request)
    asked = task.render(request, document_of(task), answers)
    read = task.read_reply(request, document_of(task), answers, scripted_reply(asked))
    assert len(read) * asked.sampling.num_candidates == task.num_candidates
    assert all(parsed.query or parsed.reason for parsed in read)
    json.dumps(task.facts_of(request, answers) if answers else {})


def test_an_accepted_reply_has_a_positive_exactly_where_the_task_says_so(task: Task) -> None:
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    request = request_of(task)
    answers = answers_of(task, request)
    reply = scripted_reply(task.render(request, document_of(task), answers))
    accepted = [
        parsed
        for parsed in task.read_reply(request, document_of(task), answers, reply)
        if not parsed.reason
    ]
    assert accepted
    for parsed in accepted:
        assert bool(parsed.written) is task.writes_documents
        has_positive = any(document.role == "positive" for document in parsed.written)
        assert has_positive or not task.positive_is_written


@pytest.mark.parametrize(
    "text", ["", " ", "{", "\x00", "null", '{"query": null}', "a\nb", "\ud800"]
)
def test_reading_any_reply_gives_a_query_or_a_reason(task: Task, text: str) -> None:
    if not isinstance(task, LlmTask):
        pytest.skip("asks no LLM")
    for finish_reason in ("stop", "length"):
        read = task.read(request_of(task), Candidate(text, finish_reason, None))
        assert len(read) >= 1
        for parsed in read:
            assert bool(parsed.query) is not bool(parsed.reason)
