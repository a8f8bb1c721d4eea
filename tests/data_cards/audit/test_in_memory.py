"""A table of examples, opened for the audit."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_cards import layout
from data_cards.audit.audited_set import NEGATIVE, POSITIVE
from data_cards.audit.in_memory import audited_examples
from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.counts import Counts
from sdg.schemas import EXAMPLES
from tests.data_cards.tiny import tables, write_data_set


def _example(query: str, positives: list[str], negatives: list[str]) -> dict[str, object]:
    return {
        "query_id": f"q-{query}",
        "query": query,
        "query_language": "eng-Latn",
        "instruction": "",
        "task": "t",
        "positive_ids": [f"d-{p}" for p in positives],
        "positives": positives,
        "positive_scores": [0.5] * len(positives),
        "positive_languages": ["eng-Latn"] * len(positives),
        "negative_ids": [f"d-{n}" for n in negatives],
        "negatives": negatives,
        "negative_scores": [float("nan")] * len(negatives),
        "negative_ranks": list(range(len(negatives))),
        "negative_sources": ["bm25"] * len(negatives),
        "negative_languages": ["fra-Latn"] * len(negatives),
        "relevance": [3] * len(positives) + [0] * len(negatives),
        "group_id": "g",
        "split": "train",
        "provenance": None,
    }


def test_links_follow_rows_with_positives_first_and_their_own_grades() -> None:
    table = pa.Table.from_pylist(
        [_example("a", ["x"], ["y", "z"]), _example("x", ["y", "z"], [])], schema=EXAMPLES
    )
    data = audited_examples(table)
    names = data.documents["doc_id"]
    links = [
        (row["row"], names[row["document"]], row["role"], row["place"], row["grade"], row["rank"])
        for row in data.links.iter_rows(named=True)
    ]
    assert links == [
        (0, "d-x", POSITIVE, 0, 3, None),
        (0, "d-y", NEGATIVE, 0, 0, 0),
        (0, "d-z", NEGATIVE, 1, 0, 1),
        (1, "d-y", POSITIVE, 0, 3, None),
        (1, "d-z", POSITIVE, 1, 3, None),
    ]
    assert data.links["score"].to_list() == [0.5, None, None, 0.5, 0.5]


def test_a_text_that_is_query_and_document_is_held_once() -> None:
    table = pa.Table.from_pylist([_example("x", ["x"], ["y"])], schema=EXAMPLES)
    data = audited_examples(table)
    assert data.rows["query"].to_list() == [0]
    assert data.documents["text"].to_list() == [0, 1]
    assert data.texts.take(data.documents["text"].to_numpy()).to_pylist() == ["x", "y"]


def test_documents_that_no_row_uses_come_after_the_others_with_their_corpus_fields(
    tmp_path: Path,
) -> None:
    write_data_set(tmp_path, tables())
    examples = pa.concat_tables(
        pq.read_table(path) for path in layout.parquet_files(tmp_path, layout.DATA)
    )
    corpus = pq.read_table(layout.parquet_files(tmp_path, layout.CORPUS)[0])
    data = audited_examples(examples, corpus)
    used = data.links["document"].n_unique()
    assert data.documents.height == corpus.num_rows
    assert set(data.links["document"]) == set(range(used))
    stated = dict(zip(corpus["doc_id"].to_pylist(), corpus["entity_key"].to_pylist(), strict=True))
    assert dict(data.documents.select("doc_id", "entity_key").iter_rows()) == stated


def test_rows_without_positive_or_negative_are_found() -> None:
    table = pa.Table.from_pylist(
        [_example("a", ["x"], ["y"]), _example("b", [], ["y"]), _example("c", ["x"], [])],
        schema=EXAMPLES,
    )
    found = Counts().measure(audited_examples(table), AuditContext())
    assert found.findings.select("reason", "row").rows() == [
        ("row_without_positive", 1),
        ("row_without_negative", 2),
    ]
    assert found.figure("positives_per_row").value == pl.Series([1, 0, 1]).mean()
