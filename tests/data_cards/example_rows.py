"""Finished rows of any shape, and a data set directory that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from data_cards import layout, manifest
from sdg import store
from sdg.assemble import CORPUS
from sdg.schemas import EXAMPLES, table_of
from tests.data_cards import tiny

Document = dict[str, Any]

# What breaks readers of lines: breaks of every kind, quotes, a null character, both directions.
NASTY = (
    "a\nb\r\nc",
    "one\u2028two\u2029three\u0085four\x0b\x0cfive",
    'she said "no", \\ and left\t',
    "nul \x00 nul",
    "\ufeffmark \u202e reversed \u200d",
    "{instruction} {query} {0} %s $1",
    "2020-01-01",
    "نص 😀 \U0010ffff",
    " ",
    "null",
)


def document(doc_id: str, text: str, score: float | None = 0.5, grade: int | None = None) -> Any:
    return {"id": doc_id, "text": text, "score": score, "grade": grade}


def example(
    query_id: str,
    query: str,
    positives: Sequence[Document],
    negatives: Sequence[Document],
    *,
    instruction: str = "",
    split: str = "train",
) -> dict[str, Any]:
    """Return one row of EXAMPLES."""
    row: dict[str, Any] = {
        "query_id": query_id,
        "query": query,
        "query_language": "eng-Latn",
        "instruction": instruction,
        "task": "natural_pair",
        "negative_ranks": list(range(len(negatives))),
        "negative_sources": ["dense:tiny"] * len(negatives),
        "relevance": [d["grade"] for d in [*positives, *negatives]],
        "group_id": query_id,
        "split": split,
    }
    for name, side in (("positive", positives), ("negative", negatives)):
        row[f"{name}_ids"] = [d["id"] for d in side]
        row[f"{name}s"] = [d["text"] for d in side]
        row[f"{name}_scores"] = [d["score"] for d in side]
        row[f"{name}_languages"] = ["eng-Latn"] * len(side)
    return row


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return table_of(rows, EXAMPLES)


def sides(row: dict[str, Any]) -> tuple[list[Document], list[Document]]:
    """Return a row's positives and negatives as documents."""
    found = []
    for name in ("positive", "negative"):
        values = (row[f"{name}_ids"], row[f"{name}s"], row[f"{name}_scores"])
        found.append([document(*value) for value in zip(*values, strict=True)])
    every = [d for side in found for d in side]
    for one, grade in zip(every, row["relevance"], strict=True):
        one["grade"] = grade
    return found[0], found[1]


def uneven() -> list[dict[str, Any]]:
    """Return rows with 1, 3, 1, 2 positives, missing scores, and none to four negatives."""
    number = iter(range(100))

    def docs(*scores: float | None) -> list[Document]:
        return [
            document(f"d{n}", f"text {n}", score, grade=n % 4 if n % 3 else None)
            for n, score in ((next(number), score) for score in scores)
        ]

    return [
        example("q0", "zero", docs(0.9), docs(0.5, 0.4, 0.3, 0.2), instruction="Find it"),
        example("q1", "one", docs(0.8, None, 0.7), docs(0.6, None)),
        example("q2", "two", docs(0.75), []),
        example("q3", "three", docs(0.5, float("nan")), docs(0.25, 0.125, None), instruction="Ask"),
        example("q4", "four", docs(None), docs(0.1), split="validation"),
    ]


def write_directory(directory: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write a data set of these rows, in two train shards if there are several, with its corpus."""
    shards: dict[str, list[list[dict[str, Any]]]] = {}
    for row in rows:
        shards.setdefault(row["split"], [[], []])[len(shards[row["split"]][0]) > 1].append(row)
    for split, parts in shards.items():
        filled = [part for part in parts if part]
        for place, part in enumerate(filled):
            name = f"{split}-{place:05d}-of-{len(filled):05d}.parquet"
            store.write_parquet(directory / layout.DATA / name, table(part))
    texts = {d["id"]: d["text"] for row in rows for side in sides(row) for d in side}
    corpus = [{"doc_id": i, "text": t, "title": f"title {i}"} for i, t in sorted(texts.items())]
    store.write_parquet(
        directory / layout.CORPUS / "corpus-00000-of-00001.parquet", table_of(corpus, CORPUS)
    )
    made = tiny.tables()
    fields = tiny.manifest_fields(made, made.queries, directory)
    counts = {"rows_in": len(rows), "kept": len(rows), "rejected": {}}
    cell = {
        "task": "natural_pair",
        "document_language": "eng-Latn",
        "query_language": "eng-Latn",
        "generator": "",
        "requested": len(rows),
        "kept": len(rows),
        "rejected": {},
    }
    fields |= {"stages": [{"name": "assemble", "unit": "queries", **counts}], "cells": [cell]}
    store.write_json(directory / layout.MANIFEST, manifest.checked_manifest(fields).to_json())
    store.write_text(directory / layout.CARD, "card\n")
    return directory


_TEXTS = st.one_of(
    st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
_SCORES = st.one_of(
    st.none(), st.floats(-1, 1, width=32), st.sampled_from([float("nan"), float("inf")])
)


@st.composite
def any_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a few rows of any shape with nasty texts."""
    rows = []
    for place in range(draw(st.integers(1, 4))):
        made = []
        for name, least in (("p", 1), ("n", 0)):
            drawn = draw(
                st.lists(
                    st.tuples(_TEXTS, _SCORES, st.sampled_from([None, 0, 3])),
                    min_size=least,
                    max_size=3,
                )
            )
            made.append([document(f"{name}{place}-{i}", *d) for i, d in enumerate(drawn)])
        instruction = draw(st.sampled_from(["", "Find it", NASTY[5]]))
        rows.append(example(f"q{place}", draw(_TEXTS), *made, instruction=instruction))
    return rows
