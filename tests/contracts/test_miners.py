"""What every miner must do, whatever it finds documents by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mining.corpus import CorpusView
from mining.miners import MINERS, CorpusFiles, Miner
from tests.mining import visible
from tests.mining.visible import at, document

TEXTS = [f"the {thing} of the {place}" for thing in ("bridge", "soup", "boat") for place in "abcd"]
QUERIES = ["bridge of a", "zzz qqq", "soup", "boat boat d", ""]
# What a miner cannot do without.
REQUIRED: dict[str, dict[str, Any]] = {"dense": {"encoder": {"encoder": "hashing"}}}


@pytest.fixture
def view(tmp_path: Path) -> CorpusView:
    # The order of the rows is not that of the ids.
    rows = [document(f"d{(5 * i) % 12:02d}", text) for i, text in enumerate(TEXTS)]
    return visible.corpus(tmp_path, rows, {text: at(0) for text in TEXTS})


@pytest.fixture
def files(tmp_path: Path) -> CorpusFiles:
    path = tmp_path / "documents.parquet"
    return CorpusFiles((path,), "f", tmp_path / "vectors", tmp_path / "indexes")


@pytest.fixture(params=sorted(MINERS))
def miner(request: pytest.FixtureRequest) -> Miner:
    return _miner(request.param)


def _miner(name: str, **settings: Any) -> Miner:
    return MINERS.build({"miner": name, **REQUIRED.get(name, {}), "top_k": 5, **settings})


def test_each_query_has_a_row_of_different_documents_best_first(
    miner: Miner, view: CorpusView, files: CorpusFiles
) -> None:
    miner.prepare(files)
    found = miner.propose(QUERIES, view, files)
    assert found.source == miner.source
    assert found.rows.shape[0] == len(QUERIES)
    assert found.rows.shape[1] <= 5
    assert (found.rows[0] >= 0).any()
    for rows, scores in zip(found.rows, found.scores, strict=True):
        there = rows[rows >= 0]
        assert len(set(there.tolist())) == len(there)
        keys = list(zip(-scores[: len(there)], view.id_order[there], strict=True))
        assert keys == sorted(keys)


def test_a_query_does_not_depend_on_the_queries_beside_it(
    miner: Miner, view: CorpusView, files: CorpusFiles
) -> None:
    miner.prepare(files)
    together = miner.propose(QUERIES, view, files)
    for place, text in enumerate(QUERIES):
        alone = miner.propose([text], view, files)
        assert np.array_equal(alone.rows[0], together.rows[place])
        assert np.array_equal(alone.scores[0], together.scores[place], equal_nan=True)


def test_fewer_documents_are_the_first_of_more(
    miner: Miner, view: CorpusView, files: CorpusFiles
) -> None:
    miner.prepare(files)
    more = miner.propose(QUERIES, view, files)
    fewer = _miner(miner.name, top_k=2).propose(QUERIES, view, files)
    assert np.array_equal(fewer.rows, more.rows[:, :2])


def test_another_process_finds_what_was_prepared(
    miner: Miner, view: CorpusView, files: CorpusFiles
) -> None:
    miner.prepare(files)
    first = miner.propose(QUERIES, view, files)
    kept = {p: p.stat().st_mtime_ns for p in files.indexes.rglob("*")}
    again = _miner(miner.name)
    again.prepare(files)
    second = again.propose(QUERIES, view, files)
    assert np.array_equal(first.rows, second.rows)
    assert {p: p.stat().st_mtime_ns for p in files.indexes.rglob("*")} == kept


def test_no_query_gives_no_row(miner: Miner, view: CorpusView, files: CorpusFiles) -> None:
    miner.prepare(files)
    assert miner.propose([], view, files).rows.shape[0] == 0
