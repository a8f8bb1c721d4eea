"""Generate: requests -> query candidates. The unit is the candidate.

Every request ends as exactly `num_candidates` rows, kept or rejected. The raw reply of a rejected
one is in its rejection. Order comes from ids, never from when an answer arrived.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from sdg.errors import ContractError
from sdg.ids import canonical_json, comparison_key, content_id
from sdg.llm import Candidate, ChatRequest, Reply
from sdg.schemas import (
    DOCUMENTS,
    QUERIES,
    REJECTIONS,
    REQUESTS,
    StageResult,
    check_table,
    table_of,
)
from sdg.tasks import CopyTask, LlmTask, Parsed, Task

STAGE = "generate"
# Rejections are published; where a server stands is not for the reader.
_ADDRESS = re.compile(r"https?://[^\s;,]+")

Row = dict[str, Any]


def generate(
    requests: pa.Table,
    documents: pa.Table,
    tasks: Mapping[str, Task],
    ask: Callable[[Sequence[ChatRequest]], list[Reply]],
    *,
    model_revision: str = "",
) -> StageResult:
    """Return the candidates of one shard of requests.

    Args:
        requests: REQUESTS, R rows, all of one generator.
        documents: DOCUMENTS; holds each request's source document.
        tasks: Column value -> task.
        ask: Answers each request once, in any order; called once, with all of them.
        model_revision: Of the generator; "" if none is asked.

    Returns:
        kept: QUERIES by request_id, then candidate_index.
        rejected: Reasons of the task's parser, `duplicate_candidate` (an equal one of the same
            request came before), `no_text_beside_document`, and the engine's failures
            (`request_too_long`, `request_refused`, `request_server_error`, `request_timed_out`,
            `request_pending`).
        rows_in: The sum of `num_candidates`.

    Raises:
        ContractError: If a document, a task or an answer is missing.
    """
    check_table(requests, REQUESTS, "requests")
    check_table(documents, DOCUMENTS, "documents")
    texts = {row["doc_id"]: row for row in documents.to_pylist()}
    rows = sorted(requests.to_pylist(), key=lambda row: str(row["request_id"]))
    for row in rows:
        if row["source_doc_id"] not in texts or row["task"] not in tasks:
            raise ContractError(
                f"Each request must have its document and task, but {row['request_id']} has not "
                f"({row['source_doc_id']}, {row['task']}). Pass the whole shard."
            )
    replies = _ask_all(rows, texts, tasks, ask)
    kept: list[Row] = []
    rejected: list[Row] = []
    for row in rows:
        task = tasks[row["task"]]
        if isinstance(task, CopyTask):
            found = task.text_beside(texts[row["source_doc_id"]])
            parsed = Parsed(found, "" if found else "no_text_beside_document")
            outcomes = [(parsed, Candidate(found, "stop", None), "")]
        elif isinstance(task, LlmTask):
            outcomes = list(_read(task, row, replies[row["request_id"]]))
        filed = _filed(row, task, outcomes, model_revision)
        kept += filed.kept
        rejected += filed.rejected
    total = sum(row["num_candidates"] for row in rows)
    return StageResult(table_of(kept, QUERIES), table_of(rejected, REJECTIONS), total)


def _ask_all(
    rows: Sequence[Row],
    texts: Mapping[str, Row],
    tasks: Mapping[str, Task],
    ask: Callable[[Sequence[ChatRequest]], list[Reply]],
) -> dict[str, Reply]:
    asked = []
    for row in rows:
        task = tasks[row["task"]]
        if isinstance(task, LlmTask):
            asked.append(task.render(row, texts[row["source_doc_id"]]))
    replies = {reply.key: reply for reply in ask(asked)} if asked else {}
    for request in asked:
        if request.key not in replies:
            raise ContractError(
                f"Each request must be answered, but {request.key} of {len(asked)} is not. "
                "The engine or the journal loses answers."
            )
    return replies


def _read(task: LlmTask, row: Row, reply: Reply) -> Iterator[tuple[Parsed, Candidate, str]]:
    """Yield parsed candidate, raw candidate and detail, `num_candidates` of them."""
    if reply.failure:
        for _ in range(row["num_candidates"]):
            parsed = Parsed("", f"request_{reply.failure}")
            yield parsed, Candidate("", "failed", None), _ADDRESS.sub("<server>", reply.detail)
        return
    if len(reply.candidates) != row["num_candidates"]:
        raise ContractError(
            f"A reply must hold {row['num_candidates']} candidates, but that of "
            f"{row['request_id']} holds {len(reply.candidates)}. Correct the engine."
        )
    seen: set[str] = set()
    for candidate in reply.candidates:
        parsed = task.read(candidate)
        key = comparison_key(parsed.query)
        if not parsed.reason and key in seen:
            parsed = Parsed("", "duplicate_candidate")
        seen.add(key)
        yield parsed, candidate, ""


def _finite(value: float | None) -> float | None:
    """Return None for infinity and NaN: no table and no JSON compares them."""
    return value if value is not None and math.isfinite(value) else None


class _Filed(NamedTuple):
    """QUERIES rows and REJECTIONS rows of one request."""

    kept: list[Row]
    rejected: list[Row]


def _filed(
    row: Row,
    task: Task,
    outcomes: Sequence[tuple[Parsed, Candidate, str]],
    model_revision: str,
) -> _Filed:
    kept: list[Row] = []
    rejected: list[Row] = []
    use = task.prompt_use(row)
    for index, (parsed, candidate, detail) in enumerate(outcomes):
        common = {
            "request_id": row["request_id"],
            "candidate_index": index,
            "task": row["task"],
            "source_doc_id": row["source_doc_id"],
            "document_language": row["document_language"],
            "query_language": row["query_language"],
            "generator": row["generator"],
            "prompt": use.names,
            "prompt_sha256": use.sha256,
            "seed": row["seed"],
            "spec": row["spec"],
            "mean_logprob": _finite(candidate.mean_logprob),
        }
        if parsed.reason:
            # Half of a surrogate pair, which JSON can spell, has no place in a table.
            raw_reply = candidate.text.encode("utf-8", "backslashreplace").decode("utf-8")
            raw = {**common, "raw_reply": raw_reply, "finish_reason": candidate.finish_reason}
            if candidate.reasoning:
                thought = candidate.reasoning.encode("utf-8", "backslashreplace").decode("utf-8")
                raw["reasoning"] = thought
            rejected.append(
                {
                    "row_id": content_id("c", row["request_id"], str(index)),
                    "stage": STAGE,
                    "reason": parsed.reason,
                    "detail": detail,
                    "row": canonical_json(raw),
                }
            )
            continue
        parts = (row["task"], row["generator"], row["source_doc_id"], row["query_language"])
        kept.append(
            {
                **common,
                "query_id": content_id("q", *parts, parsed.query),
                "query": parsed.query,
                "instruction": task.instruction,
                "model_revision": model_revision,
                "persona": "",
                "paraphrase_of": "",
            }
        )
    return _Filed(kept, rejected)
