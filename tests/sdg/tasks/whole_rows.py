"""Requests of tasks that write whole rows, and their whole way from plan to rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from sdg.answers import ask_preparation
from sdg.generate import Generated, generate
from sdg.llm import Candidate, ChatRequest, Reply
from sdg.plan import INDEX, PlanConfig, plan_requests
from sdg.schemas import DOCUMENTS
from sdg.tasks import LlmTask, Parsed

Answer = Callable[[str], object]


class Made(NamedTuple):
    """What a plan gave, and what was asked for it, one list per step, the last question last."""

    generated: Generated
    asked: list[list[ChatRequest]]

    @property
    def queries(self) -> list[dict[str, Any]]:
        rows = self.generated.result.kept.to_pylist()
        return [{**row, "spec": json.loads(row["spec"])} for row in rows]

    @property
    def reasons(self) -> list[str]:
        reasons: list[str] = self.generated.result.rejected["reason"].to_pylist()
        return reasons

    @property
    def links(self) -> list[tuple[str, str, int | None]]:
        """Return text, role and grade of every link."""
        texts = {row["doc_id"]: row["text"] for row in self.generated.documents.to_pylist()}
        return [
            (texts[k["doc_id"]], k["role"], k["grade"]) for k in self.generated.links.to_pylist()
        ]


def request(task: LlmTask, number: int = 0, seed: int = 7, **fields: Any) -> dict[str, Any]:
    """Return an English REQUESTS row whose spec the task drew."""
    row = {
        "request_id": f"r{number}",
        "task": task.label,
        "source_doc_id": "",
        "document_language": "eng-Latn",
        "query_language": "eng-Latn",
        "generator": "m",
        "seed": seed,
        "num_candidates": task.num_candidates,
        "spec": json.dumps(task.draw_spec(seed, number)),
    }
    return {**row, **fields}


def reply(value: object, finish_reason: str = "stop") -> Candidate:
    """Return a reply: a text as it is, another value as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return Candidate(text, finish_reason, -1.0)


def read_one(
    task: LlmTask,
    value: object,
    answers: Sequence[Any] = (),
    document: dict[str, Any] | None = None,
    **fields: Any,
) -> Parsed:
    """Return the one query or reason that a task reads in a reply."""
    (parsed,) = task.read_reply(request(task, **fields), document or {}, answers, reply(value))
    return parsed


def text_of(asked: ChatRequest) -> str:
    """Return the one message of a chat."""
    (message,) = asked.messages
    return message.text


def make(
    task: LlmTask, count: int, answer: Answer, documents: pa.Table | None = None, seed: int = 1
) -> Made:
    """Plan `count` requests and answer all of their questions.

    Args:
        task: One task.
        count: Documents, or requests for tasks that write theirs.
        answer: Text of a question -> JSON value of the reply.
        documents: DOCUMENTS; empty for tasks that write theirs.
        seed: The run's.
    """
    corpus = DOCUMENTS.empty_table() if documents is None else documents
    settings = {"task": task.name, **task.model_dump(mode="json")}
    quota = {"documents": "eng-Latn", "queries": "eng-Latn", "count": count}
    config = PlanConfig.model_validate(
        {"entries": [{"task": settings, "generator": "m", "quotas": [quota]}]}
    )
    index = pa.table(
        {
            **{name: corpus[name] for name in ("doc_id", "language", "topic", "parent_id")},
            "num_characters": pa.array([len(text) for text in corpus["text"].to_pylist()], "int32"),
            "natural_kinds": pa.array([[] for _ in range(len(corpus))], pa.list_(pa.string())),
        }
    ).select(INDEX.names)
    requests = plan_requests(index.cast(INDEX), config, seed).kept
    asked: list[list[ChatRequest]] = []

    def ask(questions: Sequence[ChatRequest]) -> list[Reply]:
        asked.append(list(questions))
        return [
            Reply(
                one.key,
                tuple([reply(answer(text_of(one)))] * one.sampling.num_candidates),
                "",
                "",
                1,
                1,
            )
            for one in questions
        ]

    answers: list[pa.Table] = []
    for step in range(task.num_preparations):
        answers.append(
            ask_preparation(step, requests, corpus, config.tasks(), answers, ask, seed=1)
        )
    generated = generate(requests, corpus, config.tasks(), ask, prepared=answers)
    return Made(generated, asked)
