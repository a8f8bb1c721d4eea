"""A second encoder finds by its own vectors, in the rows of the corpus that is mined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mining.corpus import CorpusView
from mining.miners import MINERS, CorpusFiles, Miner
from sdg.errors import ConfigError
from tests.mining import visible
from tests.mining.visible import at, document

TEXTS = {"d0": "bridges of stone", "d1": "soup and bread", "d2": "stone bridge", "d3": "bread"}


@pytest.fixture
def view(tmp_path: Path) -> CorpusView:
    rows = [document(doc_id, text) for doc_id, text in TEXTS.items()]
    return visible.corpus(tmp_path, rows, {text: at(0) for text in TEXTS.values()})


@pytest.fixture
def files(tmp_path: Path) -> CorpusFiles:
    path = tmp_path / "documents.parquet"
    return CorpusFiles((path,), "f", tmp_path / "vectors", tmp_path / "indexes")


def _dense(**settings: object) -> Miner:
    return MINERS.build({"miner": "dense", "encoder": {"encoder": "hashing"}, **settings})


def test_it_searches_its_own_vectors_and_not_those_of_the_corpus(
    view: CorpusView, files: CorpusFiles
) -> None:
    miner = _dense(top_k=2)
    miner.prepare(files)
    found = miner.propose(["a bridge of stone", "soup and bread!"], view, files)
    assert found.source == "dense:hashing"
    assert [view.ids_of(rows) for rows in found.rows] == [["d0", "d2"], ["d1", "d3"]]
    encoder = miner.encoder  # type: ignore[attr-defined]
    scores = (
        encoder.encode(["soup and bread!"], "query") @ encoder.encode([TEXTS["d1"]], "document").T
    )
    assert found.scores[1, 0] == pytest.approx(scores[0, 0], abs=1e-6)


def test_a_corpus_smaller_than_top_k_gives_all_of_it(view: CorpusView, files: CorpusFiles) -> None:
    miner = _dense(top_k=100, index={"index": "exact"})
    miner.prepare(files)
    assert sorted(miner.propose(["bread"], view, files).rows[0].tolist()) == [0, 1, 2, 3]
    assert miner.propose([], view, files).rows.shape == (0, 0)


def test_a_label_tells_two_models_of_one_kind_apart() -> None:
    assert _dense(label="small").source == "dense:small"


def test_device_and_index_are_no_part_of_the_identity_where_they_decide_nothing() -> None:
    exact, torch = _dense(index={"index": "exact"}), _dense(index={"index": "torch"})
    assert exact.identity() == torch.identity()
    assert _dense(top_k=5).identity() != exact.identity()
    ivf = _dense(index={"index": "faiss_ivf"})
    assert ivf.identity() != exact.identity()


def test_an_unknown_encoder_is_refused_when_the_miner_is_made() -> None:
    with pytest.raises(ConfigError, match="`encoder` must be one of"):
        MINERS.build({"miner": "dense", "encoder": {"encoder": "nothing"}})


def test_an_approximate_index_is_prepared_with_the_vectors(
    view: CorpusView, files: CorpusFiles
) -> None:
    miner = _dense(top_k=2, index={"index": "faiss_hnsw"})
    miner.prepare(files)
    assert [path.name[:10] for path in files.indexes.iterdir()] == ["faiss_hnsw"]
    again = _dense(top_k=2, index={"index": "faiss_hnsw"})
    assert np.array_equal(
        miner.propose(["bread"], view, files).rows, again.propose(["bread"], view, files).rows
    )
