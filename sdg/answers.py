"""Asking about requests: preparations step by step, then the question; every reply read.

    requests + documents ─► ask_preparation (per step) ─► answers ─► ask_requests ─► outcomes

Shared by the stages `prepare`, `generate` and `write`: what differs is only what they keep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa

from sdg.errors import ContractError
from sdg.ids import canonical_json, comparison_key, seed_for
from sdg.llm import Candidate, ChatRequest, Reply
from sdg.prompt_echo import PromptEcho
from sdg.schemas import DOCUMENTS, REQUESTS, check_table, table_of
from sdg.tasks import CopyTask, LlmTask, Parsed, Task

Ask = Callable[[Sequence[ChatRequest]], list[Reply]]
Row = dict[str, Any]

# Answers to one preparation of a slice of requests.
ANSWERS = pa.schema(
    [
        ("request_id", pa.string()),
        ("value", pa.string()),  # JSON; "" if there is a reason
        ("reason", pa.string()),  # "" or why there is no value
        ("detail", pa.string()),
        ("raw_reply", pa.string()),  # kept where there is a reason
    ]
)

# Rejections are published; where a server stands is not for the reader.
_ADDRESS = re.compile(r"https?://[^\s;,]+")


class Outcome(NamedTuple):
    """One candidate of a request.

    Attributes:
        request: REQUESTS row.
        document: DOCUMENTS row, empty for tasks that are not grounded.
        number: 0-based number of the candidate.
        parsed: What it says.
        candidate: The reply.
        detail: What the engine said of a failure.
        answers: Values of the preparations.
    """

    request: Row
    document: Row
    number: int
    parsed: Parsed
    candidate: Candidate
    detail: str
    answers: tuple[Any, ...]


def ask_preparation(
    step: int,
    requests: pa.Table,
    documents: pa.Table,
    tasks: Mapping[str, Task],
    before: Sequence[pa.Table],
    ask: Ask,
    *,
    seed: int,
) -> pa.Table:
    """Return the answers to one preparation, schema ANSWERS, by request_id.

    Args:
        step: Number of the preparation, from 0.
        requests: REQUESTS; those of tasks with fewer preparations are left out.
        documents: DOCUMENTS; holds each request's document and companions.
        tasks: Column value -> task.
        before: ANSWERS of the steps before; a request that failed there is not asked again and
            keeps its reason.
        ask: Answers each request once, in any order; called at most once.
        seed: The run's. A question that requests share has the seed of what they share, whichever
            of them is here; any other has its request's own.

    Raises:
        ContractError: If a document, a task or an answer is missing.
    """
    rows = _checked(requests, documents, tasks)
    texts = _by_id(documents)
    earlier = _answers_of(before)
    asked: dict[str, ChatRequest] = {}
    wanted: dict[str, str] = {}
    for row in rows:
        task = tasks[row["task"]]
        if not isinstance(task, LlmTask) or step >= task.num_preparations:
            continue
        found = earlier.get(row["request_id"], _NONE)
        if not found.reason:
            question = task.prepare(step, row, _document(row, texts, task), found.values)
            if question.key != row["request_id"]:
                question = replace(question, seed=seed_for(seed, question.key))
            asked.setdefault(question.key, question)
            wanted[row["request_id"]] = question.key
    replies = _replies(list(asked.values()), ask)
    done = []
    for row in rows:
        task = tasks[row["task"]]
        if not isinstance(task, LlmTask) or step >= task.num_preparations:
            continue
        key = wanted.get(row["request_id"])
        empty = {"request_id": row["request_id"], "value": "", "detail": "", "raw_reply": ""}
        if key is None:
            done.append({**empty, "reason": earlier[row["request_id"]].reason})
        elif replies[key].failure:
            detail = _ADDRESS.sub("<server>", replies[key].detail)
            done.append({**empty, "reason": f"request_{replies[key].failure}", "detail": detail})
        else:
            candidate = replies[key].candidates[0]
            prepared = task.read_preparation(step, row, candidate)
            if prepared.reason:
                raw = printable_reply(candidate.text)
                done.append({**empty, "reason": prepared.reason, "raw_reply": raw})
            else:
                value = canonical_json(prepared.value)
                done.append({**empty, "value": value, "reason": ""})
    return table_of(done, ANSWERS)


def ask_requests(
    requests: pa.Table,
    documents: pa.Table,
    tasks: Mapping[str, Task],
    ask: Ask,
    prepared: Sequence[pa.Table] = (),
) -> Iterator[list[Outcome]]:
    """Yield the candidates of each request, by request_id; every request has all of its own.

    Args:
        requests: REQUESTS, all of one generator.
        documents: DOCUMENTS; holds each request's document and companions.
        tasks: Column value -> task.
        ask: Answers each request once, in any order; called once, with all of them.
        prepared: ANSWERS, one table per preparation.

    Raises:
        ContractError: If a document, a task or an answer is missing.
    """
    rows = _checked(requests, documents, tasks)
    texts = _by_id(documents)
    answers = _answers_of(prepared)
    asked = []
    for row in rows:
        task = tasks[row["task"]]
        found = answers.get(row["request_id"], _NONE)
        if isinstance(task, LlmTask) and not found.reason:
            if len(found.values) != task.num_preparations:
                raise ContractError(
                    f"Each preparation must be answered before the question, but {row['task']} "
                    f"has {task.num_preparations} and {row['request_id']} {len(found.values)} "
                    "answers. Pass what `ask_preparation` returned for each step."
                )
            asked.append(task.render(row, _document(row, texts, task), found.values))
    replies = _replies(asked, ask)
    echo = PromptEcho()
    for row in rows:
        task = tasks[row["task"]]
        document = _document(row, texts, task)
        found = answers.get(row["request_id"], _NONE)
        if isinstance(task, CopyTask):
            text = task.copy_text(row, document)
            parsed = Parsed(text, "" if text else task.reason_if_none)
            one = [(parsed, Candidate(text, "stop", None), "")]
        elif isinstance(task, LlmTask) and found.reason:
            failed = (Parsed("", f"preparation_{found.reason}"), found.candidate, found.detail)
            one = [failed] * row["num_candidates"]
        elif isinstance(task, LlmTask):
            reply = replies[row["request_id"]]
            one = list(_read(task, row, document, found.values, reply, echo))
        yield [
            Outcome(row, document, number, parsed, candidate, detail, found.values)
            for number, (parsed, candidate, detail) in enumerate(one)
        ]


def printable_reply(text: str) -> str:
    """Return a reply for a table: half of a surrogate pair, which JSON can spell, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Answered(NamedTuple):
    """What the preparations of one request gave."""

    values: tuple[Any, ...]
    reason: str
    detail: str
    candidate: Candidate


_NONE = _Answered((), "", "", Candidate("", "failed", None))


def _answers_of(tables: Sequence[pa.Table]) -> dict[str, _Answered]:
    found: dict[str, _Answered] = {}
    for table in tables:
        check_table(table, ANSWERS, "answers")
        for row in table.to_pylist():
            before = found.get(row["request_id"], _NONE)
            if before.reason:
                continue
            if row["reason"]:
                raw = Candidate(row["raw_reply"], "failed", None)
                found[row["request_id"]] = _Answered((), row["reason"], row["detail"], raw)
            else:
                values = (*before.values, json.loads(row["value"]))
                found[row["request_id"]] = before._replace(values=values)
    return found


def companion_ids(requests: pa.Table) -> list[str]:
    """Return the ids of all companions that the specs of requests name, sorted, each once."""
    found: set[str] = set()
    for spec in requests["spec"].to_pylist():
        if '"companions"' in spec:
            found.update(json.loads(spec)["companions"])
    return sorted(found)


def _checked(requests: pa.Table, documents: pa.Table, tasks: Mapping[str, Task]) -> list[Row]:
    check_table(requests, REQUESTS, "requests")
    check_table(documents, DOCUMENTS, "documents")
    known = set(documents["doc_id"].to_pylist())
    rows = sorted(requests.to_pylist(), key=lambda row: str(row["request_id"]))
    for row in rows:
        has_task = row["task"] in tasks
        is_lost = has_task and tasks[row["task"]].is_grounded and row["source_doc_id"] not in known
        if is_lost or not has_task:
            raise ContractError(
                f"Each request must have its document and task, but {row['request_id']} has not "
                f"({row['source_doc_id']}, {row['task']}). Pass the whole shard."
            )
    return rows


def _by_id(documents: pa.Table) -> dict[str, Row]:
    return {row["doc_id"]: row for row in documents.to_pylist()}


def _document(row: Row, texts: Mapping[str, Row], task: Task) -> Row:
    if not task.is_grounded:
        return {}
    document = texts[row["source_doc_id"]]
    if not task.num_companions:
        return document
    return {**document, "companions": [texts[i] for i in json.loads(row["spec"])["companions"]]}


def _replies(asked: Sequence[ChatRequest], ask: Ask) -> dict[str, Reply]:
    replies = {reply.key: reply for reply in ask(asked)} if asked else {}
    for request in asked:
        if request.key not in replies:
            raise ContractError(
                f"Each request must be answered, but {request.key} of {len(asked)} is not. "
                "The engine or the journal loses answers."
            )
    return replies


def _read(
    task: LlmTask,
    row: Row,
    document: Row,
    answers: Sequence[Any],
    reply: Reply,
    echo: PromptEcho,
) -> Iterator[tuple[Parsed, Candidate, str]]:
    """Yield parsed candidate, raw candidate and detail, `num_candidates` of them."""
    if reply.failure:
        for _ in range(row["num_candidates"]):
            parsed = Parsed("", f"request_{reply.failure}")
            yield parsed, Candidate("", "failed", None), _ADDRESS.sub("<server>", reply.detail)
        return
    read = [
        (parsed, raw)
        for raw in reply.candidates
        for parsed in task.read_reply(row, document, answers, raw)
    ]
    if len(read) != row["num_candidates"]:
        raise ContractError(
            f"A reply must hold {row['num_candidates']} candidates, but that of "
            f"{row['request_id']} holds {len(read)}. Correct the engine, or the task's `read`."
        )
    seen: set[str] = set()
    for told, candidate in read:
        parsed = told
        key = comparison_key(parsed.query)
        # Tasks that vary "documents" say the query of the row again.
        is_new = not parsed.reason and task.varies != "documents"
        if is_new and echo.is_in(task, row, key):
            parsed = Parsed("", "repeats_the_prompt")
        elif is_new and key in seen:
            parsed = Parsed("", "duplicate_candidate")
        seen.add(key)
        yield parsed, candidate, ""
