"""The reader that never holds the texts gives what the one in memory gives, at any block size."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_cards import layout
from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.first_places import first_places
from data_cards.audit.in_memory import audited_examples
from data_cards.audit.layouts import detect
from data_cards.audit.layouts.pairmill import Pairmill
from data_cards.audit.open_source import open_source
from data_cards.audit.text_file import TextWriter
from sdg import store
from sdg.errors import DataError
from sdg.schemas import EXAMPLES
from tests.data_cards.tiny import tables, write_data_set

ODD = st.sampled_from(
    ["", " ", "\x00", "a", "A", "a\n", "🜁" * 9, "é", "e\u0301", "\u202e<b>", "x" * 40]
)


def _same(found: AuditedSet, wanted: AuditedSet) -> None:
    assert found.rows.equals(wanted.rows)
    assert found.links.equals(wanted.links)
    assert found.documents.equals(wanted.documents)
    assert found.texts.column.to_pylist() == wanted.texts.column.to_pylist()


def test_a_finished_data_set_opens_as_in_memory(tmp_path: Path) -> None:
    directory = write_data_set(tmp_path / "set", tables())
    examples = pa.concat_tables(
        pq.read_table(path) for path in layout.parquet_files(directory, layout.DATA)
    )
    corpus = pa.concat_tables(
        pq.read_table(path) for path in layout.parquet_files(directory, layout.CORPUS)
    )
    chosen = detect(directory)
    assert chosen.name == "pairmill"
    source = chosen.source(directory)
    for block_rows in (1, 2, 100):
        found = open_source(source, tmp_path, block_rows=block_rows)
        _same(found, audited_examples(examples, corpus))
    assert found.manifest is not None
    assert found.folder == str(directory)


@st.composite
def _rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw rows whose documents are known by id, and may have another text at a second place."""
    documents = st.lists(st.tuples(st.sampled_from("abcdef"), ODD), max_size=3)
    return [
        {
            "query_id": f"q{number}",
            "query": draw(ODD),
            "query_language": draw(st.sampled_from(["eng-Latn", "fra-Latn", ""])),
            "instruction": draw(ODD),
            "task": "t",
            "group_id": "g",
            "split": "train",
            "provenance": draw(
                st.none()
                | st.builds(
                    lambda changed: {
                        "generator": "writer",
                        "positive_was_relabelled": changed,
                        "original_positive_id": "a",
                    },
                    st.booleans(),
                )
            ),
            **_lists(draw, draw(documents), draw(documents)),
        }
        for number in range(draw(st.integers(1, 6)))
    ]


def _lists(
    draw: st.DrawFn, positives: Sequence[tuple[str, str]], negatives: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    score = st.floats(-1, 1, width=32) | st.just(float("nan"))
    grade = st.none() | st.integers(0, 3)
    found: dict[str, Any] = {}
    for side, chosen in (("positive", positives), ("negative", negatives)):
        found |= {
            f"{side}_ids": [name for name, _ in chosen],
            f"{side}s": [text for _, text in chosen],
            f"{side}_scores": [draw(score) for _ in chosen],
            f"{side}_languages": ["eng-Latn"] * len(chosen),
        }
    found["negative_ranks"] = list(range(len(negatives)))
    found["negative_sources"] = [draw(st.sampled_from(["bm25", "dense:x"])) for _ in negatives]
    found["relevance"] = [draw(grade) for _ in range(len(positives) + len(negatives))]
    return found


@settings(deadline=None, max_examples=25)
@given(rows=_rows(), block_rows=st.integers(1, 7))
def test_rows_with_odd_texts_open_as_in_memory(rows: list[dict[str, Any]], block_rows: int) -> None:
    examples = pa.Table.from_pylist(rows, schema=EXAMPLES)
    if not any(row["positive_ids"] or row["negative_ids"] for row in rows):
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        store.write_parquet(file, examples)
        found = open_source(Pairmill().source(file), Path(folder), block_rows=block_rows)
        _same(found, audited_examples(examples))


@given(keys=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=40))
def test_codes_are_numbered_by_first_occurrence(keys: list[tuple[int, int]]) -> None:
    found = first_places(np.array(keys, np.uint64).reshape(-1, 2).T)
    order = list(dict.fromkeys(keys))
    assert found.codes.tolist() == [order.index(key) for key in keys]
    assert found.firsts.tolist() == [keys.index(key) for key in order]


def test_texts_come_back_from_the_file_after_it_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with TextWriter(folder / "a.bytes") as first, TextWriter(folder / "b.bytes") as second:
        second.add(pl.Series(["", "ü"]))
        first.add(pl.Series(["skipped", "x", "yy"]).slice(1))
        first.append(second)
        texts = first.finish()
    for file in folder.iterdir():
        file.unlink()
    assert texts.column.to_pylist() == ["x", "yy", "", "ü"]
    assert [block.to_list() for _, block in texts.blocks(3)] == [["x", "yy", ""], ["ü"]]


def test_a_document_whose_lists_differ_in_length_is_refused(tmp_path: Path) -> None:
    table = pa.table(
        {
            "query_id": ["q1"],
            "query": ["x"],
            "positive_ids": [["a", "b"]],
            "positives": [["one"]],
            "negative_ids": pa.array([[]], pa.list_(pa.string())),
            "negatives": pa.array([[]], pa.list_(pa.string())),
        }
    )
    store.write_parquet(tmp_path / "rows.parquet", table)
    with pytest.raises(DataError, match=r"`positives` must be as long.*'q1'"):
        open_source(Pairmill().source(tmp_path), tmp_path)


def test_lists_that_are_null_or_not_there_say_nothing_of_each_document(tmp_path: Path) -> None:
    table = pa.table(
        {
            "query_id": ["q1", "q2"],
            "query": ["x", "y"],
            "positive_ids": [["a"], ["a"]],
            "positives": [["one"], ["one"]],
            "negative_ids": [["b", "c"], None],
            "negatives": [["two", "three"], None],
            "negative_scores": pa.array([None, None], pa.list_(pa.float32())),
            "relevance": pa.array([None, [3]], pa.list_(pa.int8())),
        }
    )
    store.write_parquet(tmp_path / "validation.parquet", table)
    found = open_source(Pairmill().source(tmp_path), tmp_path)
    assert found.links.select("row", "document", "score", "grade").rows() == [
        (0, 0, None, None),
        (0, 1, None, None),
        (0, 2, None, None),
        (1, 0, None, 3),
    ]
    assert found.rows["split"].to_list() == ["validation", "validation"]


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    store.write_parquet(tmp_path / "rows.parquet", EXAMPLES.empty_table())
    with pytest.raises(DataError, match="must hold at least one row"):
        open_source(Pairmill().source(tmp_path), tmp_path)
