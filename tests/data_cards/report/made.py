"""Audited rows and metrics for the tests of the report page."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.in_memory import audited_examples
from data_cards.audit.measurement import findings_of
from sdg.schemas import EXAMPLES

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    " [x](javascript:document.title='owned') {{ 7*7 }} </script> &amp;"
    " \u202edesrever\u2028 \x1b[31m"
)
LANGUAGES = ("eng-Latn", "fra-Latn", "ara-Arab")


def example(number: int, query: str, negatives: int = 2) -> dict[str, Any]:
    """Return row `number`; its positive scores 0.9, its negatives 0.5, 0.4 and so on."""
    ids = [f"d-{number}-{n}" for n in range(negatives)]
    return {
        "query_id": f"q-{number:06d}",
        "query": query,
        "query_language": LANGUAGES[number % 3],
        "instruction": "",
        "task": "write_query" if number % 2 else "given_pair",
        "positive_ids": [f"d-{number}"],
        "positives": [f"The positive of row {number}."],
        "positive_scores": [0.9],
        "positive_languages": ["eng-Latn"],
        "negative_ids": ids,
        "negatives": [f"Negative {n} of row {number}." for n in range(negatives)],
        "negative_scores": [0.5 - 0.1 * n for n in range(negatives)],
        "negative_ranks": [-1 if n else 3 for n in range(negatives)],
        "negative_sources": ["dense:hashing"] * negatives,
        "negative_languages": ["fra-Latn"] * negatives,
        "relevance": [None] * (1 + negatives),
        "group_id": f"g-{number}",
        "split": "train",
        "provenance": None,
    }


def audited(rows: list[dict[str, Any]]) -> AuditedSet:
    """Return the rows, opened."""
    return audited_examples(pa.Table.from_pylist(rows, schema=EXAMPLES), name="made <b>up</b>")


def findings(*rows: int, document: int | None = None) -> pl.DataFrame:
    """Return findings of two reasons: rows that are odd, and a document that is a hub."""
    odd = findings_of(
        "made",
        "odd_query",
        rows=rows,
        values=[1.0] * len(rows),
        details=[HOSTILE] * len(rows),
        at_most=1000,
    )
    if document is None:
        return odd
    hub = findings_of("made", "hub_document", documents=[document], at_most=1000)
    return pl.concat([odd, hub])


def metrics(**counts: int) -> dict[str, Any]:
    """Return what metrics.json holds of one measured and one skipped metric, and two gates."""
    return {
        "format_version": "0.1.0",
        "seed": 7,
        "metrics": {
            "made": {
                "title": "Made up",
                "about": "High is bad.",
                "figures": [
                    _figure("rate", 0.125, "share", 0.1, 0.15, 400, 9000, "odd queries"),
                    _figure("rows", 3.0, "count", None, None, 3, 3, ""),
                ],
                "histograms": [
                    {
                        "name": "scores",
                        "title": "Scores",
                        "bars": [
                            {"label": "0 to 0.5", "height": 10, "series": "positive"},
                            {"label": "0 to 0.5", "height": 40, "series": "negative"},
                            {"label": "0.5 to 1", "height": 20, "series": "positive"},
                        ],
                    }
                ],
                "breakdowns": [
                    {
                        "name": "openings",
                        "title": "Openings",
                        "columns": ["words", "rows"],
                        "lines": [[HOSTILE, 3]],
                    }
                ],
                "finding_counts": dict(counts),
                "skipped": "",
                "notes": ["A sample of 400."],
                "settings": {},
            },
            "none": {
                "title": "Not there",
                "about": "",
                "figures": [],
                "histograms": [],
                "breakdowns": [],
                "finding_counts": {},
                "skipped": "the data set has no scores",
                "notes": [],
                "settings": {},
            },
        },
        "gates": [
            _gate("made.rate", "max", 0.1, passed=False),
            _gate("made.rows", "min", 1.0, passed=True),
        ],
        "data": {"name": "made", "layout": "pairmill", "rows": 3, "documents": 9, "notes": []},
        "files": {},
    }


def _figure(*values: object) -> dict[str, Any]:
    names = ("name", "value", "unit", "low", "high", "sample", "population", "label")
    return dict(zip(names, values, strict=True))


def _gate(figure: str, bound: str, limit: float, *, passed: bool) -> dict[str, Any]:
    value = 0.125
    return {"figure": figure, "bound": bound, "limit": limit, "value": value, "passed": passed}
