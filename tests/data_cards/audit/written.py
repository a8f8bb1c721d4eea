"""A small audited set written down in a test: rows of a query and its documents' texts."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.in_memory import audited_examples
from sdg.schemas import EXAMPLES


def example(
    query: str,
    positives: list[str],
    negatives: list[str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return one row of EXAMPLES; a document's id is "d-" and its text."""
    others = negatives or []
    language = fields.pop("language", "eng-Latn")
    return {
        "query_id": f"q-{query}",
        "query": query,
        "query_language": language,
        "instruction": "",
        "task": "t",
        "positive_ids": [f"d-{text}" for text in positives],
        "positives": positives,
        "positive_scores": [0.5] * len(positives),
        "positive_languages": [language] * len(positives),
        "negative_ids": [f"d-{text}" for text in others],
        "negatives": others,
        "negative_scores": [0.4] * len(others),
        "negative_ranks": list(range(len(others))),
        "negative_sources": ["bm25"] * len(others),
        "negative_languages": [language] * len(others),
        "relevance": [None] * (len(positives) + len(others)),
        "group_id": f"g-{query}",
        "split": "train",
        "provenance": None,
        **fields,
    }


def written(*rows: dict[str, Any], corpus: dict[str, list[str]] | None = None) -> AuditedSet:
    """Return the rows as an audited set."""
    table = pa.Table.from_pylist(list(rows), schema=EXAMPLES)
    return audited_examples(table, pa.table(corpus) if corpus else None)


def found(findings: pl.DataFrame, reason: str) -> list[tuple[int, int]]:
    """Return (row, document) of the findings with `reason`."""
    return findings.filter(pl.col("reason") == reason).select("row", "document").rows()
