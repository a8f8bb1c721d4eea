"""Generate: requests -> query candidates, and what an LLM wrote beside them.

The unit is the candidate. Every request ends as exactly `num_candidates` rows, kept or rejected.
The raw reply of a rejected one is in its rejection. Order comes from ids, never from when an
answer arrived.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from sdg.answers import Ask, Outcome, Row, ask_requests, printable_reply
from sdg.ids import canonical_json, content_id, normalise_text
from sdg.schemas import DOCUMENTS, LINKS, QUERIES, REJECTIONS, StageResult, table_of
from sdg.tasks import LlmTask, Task, Written

STAGE = "generate"
# The stage that writes documents for accepted queries.
ATTACH = "attach"
# `source` of documents that an LLM wrote, before its name.
GENERATED = "generated:"


class Generated(NamedTuple):
    """What requests gave.

    Attributes:
        result: kept: QUERIES by request_id, then candidate_index; for tasks that vary "documents"
            the rows of the queries they wrote for. rejected: reasons of the task's parser,
            `duplicate_candidate` (an equal one of the same request came before),
            `repeats_the_prompt` (it stands in the instructions, as small models reply),
            the `reason_if_none` of tasks that copy, the engine's failures (`request_too_long`,
            `request_refused`, `request_server_error`, `request_timed_out`, `request_pending`), and
            each of these after `preparation_`. rows_in: the sum of `num_candidates`.
        links: LINKS of kept rows: written documents, and companions as positives.
        documents: DOCUMENTS that were written, by doc_id, each once; the text decides the id.
    """

    result: StageResult
    links: pa.Table
    documents: pa.Table


def generate(
    requests: pa.Table,
    documents: pa.Table,
    tasks: Mapping[str, Task],
    ask: Ask,
    *,
    model_revision: str = "",
    prepared: Sequence[pa.Table] = (),
    stage: str = STAGE,
) -> Generated:
    """Return the candidates of one shard of requests.

    Args:
        requests: REQUESTS, R rows, all of one generator.
        documents: DOCUMENTS; holds each request's source document and companions.
        tasks: Column value -> task.
        ask: Answers each request once, in any order; called once, with all of them.
        model_revision: Of the generator; "" if none is asked.
        prepared: ANSWERS, one table per preparation.
        stage: Written into each rejection.

    Raises:
        ContractError: If a document, a task or an answer is missing.
    """
    kept: list[Row] = []
    rejected: list[Row] = []
    links: list[Row] = []
    written: dict[str, Row] = {}
    for outcomes in ask_requests(requests, documents, tasks, ask, prepared):
        for outcome in outcomes:
            if outcome.parsed.reason:
                rejected.append(_rejection(outcome, tasks[outcome.request["task"]], stage))
                continue
            rows = _document_rows(outcome)
            query = _query(outcome, tasks[outcome.request["task"]], rows, model_revision)
            kept.append(query)
            links += _links(outcome, query, rows)
            for row in rows:
                # Equal texts are one document: the first request's, whatever shard it is in.
                written.setdefault(row["doc_id"], row)
    total = sum(requests["num_candidates"].to_pylist())
    ordered = [written[doc_id] for doc_id in sorted(written)]
    return Generated(
        StageResult(table_of(kept, QUERIES), table_of(rejected, REJECTIONS), total),
        table_of(links, LINKS),
        table_of(ordered, DOCUMENTS),
    )


def _common(outcome: Outcome, task: Task) -> Row:
    row = outcome.request
    use = task.prompt_use(row)
    facts = _facts(outcome, task)
    logprob = outcome.candidate.mean_logprob
    return {
        "request_id": row["request_id"],
        "candidate_index": outcome.number,
        "task": row["task"],
        "source_doc_id": row["source_doc_id"],
        "document_language": row["document_language"],
        "query_language": row["query_language"],
        "generator": row["generator"],
        "prompt": use.names,
        "prompt_sha256": use.sha256,
        "seed": row["seed"],
        "spec": canonical_json({**json.loads(row["spec"]), **facts}) if facts else row["spec"],
        # Infinity and NaN: no table and no JSON compares them.
        "mean_logprob": logprob if logprob is not None and math.isfinite(logprob) else None,
    }


def _facts(outcome: Outcome, task: Task) -> Row:
    """Return what preparations and reply say beside the query; a rejected one has the former."""
    prepared: Mapping[str, Any] = {}
    if isinstance(task, LlmTask) and outcome.answers:
        prepared = task.facts_of(outcome.request, outcome.answers)
    return {**prepared, **outcome.parsed.facts}


def _rejection(outcome: Outcome, task: Task, stage: str) -> Row:
    candidate = outcome.candidate
    raw = {
        **_common(outcome, task),
        "raw_reply": printable_reply(candidate.text),
        "finish_reason": candidate.finish_reason,
    }
    if candidate.reasoning:
        raw["reasoning"] = printable_reply(candidate.reasoning)
    return {
        "row_id": content_id("c", outcome.request["request_id"], str(outcome.number)),
        "stage": stage,
        "reason": outcome.parsed.reason,
        "detail": outcome.detail,
        "row": canonical_json(raw),
    }


def _query(outcome: Outcome, task: Task, written: Sequence[Row], model_revision: str) -> Row:
    row, parsed = outcome.request, outcome.parsed
    common = _common(outcome, task)
    spec = json.loads(common["spec"])
    source = row["source_doc_id"]
    if task.positive_is_written:
        roles = zip(written, parsed.written, strict=True)
        source = next(own["doc_id"] for own, text in roles if text.role == "positive")
    parts = [row["task"], row["generator"], source, row["query_language"]]
    if row["spec"] != "{}":
        # Two requests may ask the same task about one document, and be told the same query.
        parts.append(row["spec"])
    is_new = task.varies != "documents"
    return {
        **common,
        "source_doc_id": source,
        "query_id": content_id("q", *parts, parsed.query) if is_new else spec["query_id"],
        "query": parsed.query,
        "instruction": parsed.instruction or spec.get("instruction") or task.instruction,
        "model_revision": model_revision,
        "persona": spec.get("persona", ""),
        "paraphrase_of": spec.get("query_id", "") if task.varies == "query" else "",
    }


def _document_rows(outcome: Outcome) -> list[Row]:
    """Return what was written as DOCUMENTS rows, in the reply's order."""
    row, group = outcome.request, outcome.document.get("group_id", "")
    return [
        _document_row(written, row["generator"], row["request_id"], group)
        for written in outcome.parsed.written
    ]


def _document_row(written: Written, generator: str, request_id: str, group_id: str) -> Row:
    text = normalise_text(written.text)
    doc_id = content_id("d", text)
    return {
        "doc_id": doc_id,
        "text": text,
        "title": "",
        "language": written.language,
        "language_score": None,
        "topic": "",
        "source": f"{GENERATED}{generator}",
        "source_key": request_id,
        "parent_id": doc_id,
        "chunk_index": 0,
        "num_chunks": 1,
        "entity_key": "",
        # That of the document it was written from, else of its own: a query joins it with the
        # groups of its other positives.
        "group_id": group_id or doc_id,
        "natural_texts": [],
    }


def _links(outcome: Outcome, query: Row, written: Iterable[Row]) -> list[Row]:
    spec: dict[str, Any] = json.loads(outcome.request["spec"])
    roles = list(zip(written, outcome.parsed.written, strict=True))
    links = [(own["doc_id"], text.role, text.grade) for own, text in roles]
    links += [(doc_id, "positive", None) for doc_id in spec.get("companions", ())]
    return [
        {"query_id": query["query_id"], "doc_id": doc_id, "role": role, "grade": grade}
        for doc_id, role, grade in links
    ]
