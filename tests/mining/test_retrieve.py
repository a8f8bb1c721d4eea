"""Retrieval: exact ranks over the whole corpus, whatever the back-end and the block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mining.corpus as corpus_module
from mining.indexes import INDEXES
from mining.retrieve import retrieve
from tests.mining import visible
from tests.mining.visible import at, document

EXACT = [name for name in INDEXES if INDEXES[name].is_exact]


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("block_rows", [2, 3, 100])
def test_the_rank_of_the_source_is_exact_beyond_the_top_k(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, block_rows: int
) -> None:
    monkeypatch.setattr(corpus_module, "SEARCH_ROWS", block_rows)
    rows = [document(f"d{i}", f"text {i}") for i in range(8)]
    view = visible.corpus(tmp_path, rows, {f"text {i}": at(10 * i) for i in range(8)})
    found = retrieve(
        visible.queries({"q": at(0), "p": at(70)}, ["d6", "d7"]),
        view,
        INDEXES.build({"index": name}),
        top_k=3,
    ).to_pylist()
    assert found[0]["doc_ids"] == ["d0", "d1", "d2"]
    assert found[0]["docs_above"] == 6
    assert found[0]["source_score"] == pytest.approx(np.cos(np.pi / 3))
    assert found[1]["doc_ids"] == ["d7", "d6", "d5"]
    assert found[1]["docs_above"] == 0
    assert found[1]["source"] == "dense:given"


def test_documents_equal_to_the_source_are_not_above_it(tmp_path: Path) -> None:
    rows = [document(f"d{i}", f"text {i}") for i in range(4)]
    view = visible.corpus(tmp_path, rows, {f"text {i}": at(30) for i in range(4)})
    queries = visible.queries({"q": at(0)}, ["d3"])
    row = retrieve(queries, view, INDEXES.build({"index": "exact"}), top_k=2).to_pylist()[0]
    assert row["docs_above"] == 0
    assert row["doc_ids"] == ["d0", "d1"]
    assert row["ranks"] == [0, 1]


def test_a_corpus_smaller_than_top_k_gives_no_padding(tmp_path: Path) -> None:
    """FAISS pads with -1, which is the last document to a careless reader."""
    view = visible.corpus(tmp_path, [document("d0", "t")], {"t": at(0)})
    queries = visible.queries({"q": at(90)}, ["d0"])
    for name in EXACT:
        row = retrieve(queries, view, INDEXES.build({"index": name}), top_k=50).to_pylist()[0]
        assert row["doc_ids"] == ["d0"]
