"""Rows for tests: documents of one's own making, with everything else filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from sdg.corpus import RAW_DOCUMENTS
from sdg.ids import content_id
from sdg.schemas import DOCUMENTS, table_of

MakeTable = Callable[..., pa.Table]


def _raw_documents(*rows: dict[str, Any]) -> pa.Table:
    empty = dict.fromkeys(RAW_DOCUMENTS.names, "")
    return table_of(
        ({**empty, "source_key": str(n), "natural_texts": [], **row} for n, row in enumerate(rows)),
        RAW_DOCUMENTS,
    )


def _documents(texts: Sequence[str], **columns: Sequence[Any]) -> pa.Table:
    rows = []
    for number, text in enumerate(texts):
        doc_id = content_id("d", text)
        row = {
            **dict.fromkeys(DOCUMENTS.names, ""),
            "doc_id": doc_id,
            "text": text,
            "language": "eng-Latn",
            "language_score": 1.0,
            "parent_id": doc_id,
            "chunk_index": 0,
            "num_chunks": 1,
            "group_id": doc_id,
            "natural_texts": [],
        }
        rows.append({**row, **{name: values[number] for name, values in columns.items()}})
    return table_of(rows, DOCUMENTS)


@pytest.fixture(scope="session")
def raw_documents() -> MakeTable:
    """Return a maker of RAW_DOCUMENTS: one mapping per row, the rest empty, keys are numbers."""
    return _raw_documents


@pytest.fixture(scope="session")
def documents() -> MakeTable:
    """Return a maker of unsplit DOCUMENTS from texts; keywords replace whole columns."""
    return _documents
