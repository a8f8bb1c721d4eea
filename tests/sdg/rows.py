"""Rows for tests: only what matters is written, the rest is filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from sdg.schemas import CANDIDATES, DOCUMENTS, QUERIES, REQUESTS

_EMPTY: dict[str, Any] = {"string": "", "int32": 0, "int64": 0, "float": 0.0}


def _filled(schema: pa.Schema, row: Mapping[str, Any]) -> dict[str, Any]:
    blank = {f.name: _EMPTY.get(str(f.type), []) for f in schema}
    unknown = set(row) - set(blank)
    assert not unknown, unknown
    return blank | dict(row)


def query_row(
    query_id: str, query: str = "who built the bridge of Brell", **fields: Any
) -> dict[str, Any]:
    """Return a QUERIES row of an English query that a model "m" wrote for document "d1"."""
    defaults = {
        "query_id": query_id,
        "query": query,
        "query_language": "eng-Latn",
        "document_language": "eng-Latn",
        "task": "llm_query",
        "source_doc_id": "d1",
        "request_id": "r1",
        "generator": "m",
        "mean_logprob": -1.0,
    }
    return _filled(QUERIES, defaults | fields)


def queries_of(*rows: Mapping[str, Any]) -> pa.Table:
    """Return a QUERIES table."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=QUERIES)


def document_row(doc_id: str = "d1", text: str = "A footbridge.", **fields: Any) -> dict[str, Any]:
    """Return a DOCUMENTS row in English."""
    return _filled(DOCUMENTS, {"doc_id": doc_id, "text": text, "language": "eng-Latn"} | fields)


def documents_of(*rows: Mapping[str, Any]) -> pa.Table:
    """Return a DOCUMENTS table."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=DOCUMENTS)


def candidates_row(
    query_id: str, doc_ids: Sequence[str] = (), docs_above: int | None = 0, **fields: Any
) -> dict[str, Any]:
    """Return a CANDIDATES row whose scores fall by 0.1 per rank, for source "d1"."""
    defaults = {
        "query_id": query_id,
        "source_doc_id": "d1",
        "source_score": 0.5,
        "docs_above": docs_above,
        "doc_ids": list(doc_ids),
        "scores": [1 - 0.1 * rank for rank in range(len(doc_ids))],
        "ranks": list(range(len(doc_ids))),
        "source": "dense:fake",
    }
    return _filled(CANDIDATES, defaults | fields)


def candidates_of(*rows: Mapping[str, Any]) -> pa.Table:
    """Return a CANDIDATES table."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=CANDIDATES)


def reasons(result: Any) -> dict[str, str]:
    """Return query_id -> reason of a StageResult's rejected rows."""
    return dict(
        zip(
            result.rejected["row_id"].to_pylist(),
            result.rejected["reason"].to_pylist(),
            strict=True,
        )
    )


def requests_of(*rows: dict[str, Any]) -> pa.Table:
    """Return REQUESTS of rows; what they leave out is that of an `llm_query` about d1."""
    defaults = {
        "task": "llm_query",
        "source_doc_id": "d1",
        "document_language": "eng-Latn",
        "query_language": "eng-Latn",
        "topic": "",
        "generator": "m",
        "seed": 5,
        "num_candidates": 1,
        "spec": "{}",
    }
    return pa.Table.from_pylist([defaults | row for row in rows], schema=REQUESTS)
