"""BM25 held against the formula written naively, and against bm25s on the same terms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import mining.miners.bm25_index as index_module
from mining.corpus import CorpusView
from mining.miners import MINERS, CorpusFiles, Miner
from mining.miners.bm25_index import Bm25Index, build, is_whole
from mining.miners.terms import split_terms
from sdg.errors import DataError
from tests.mining import visible
from tests.mining.visible import at, document

TEXTS = [
    "the old bridge over the river",
    "the new bridge",
    "a river without any bridge, a river of ice",
    "soup with carrots",
    "",
]


def _terms(text: str) -> list[str]:
    return sorted(split_terms(pa.array([text], pa.string()))["term"].to_list())


def _naive(texts: Sequence[str], query: str, k1: float = 1.2, b: float = 0.75) -> list[float]:
    """Return every document's score, as the formula reads."""
    documents = [_terms(text) for text in texts]
    mean = sum(map(len, documents)) / len(documents) or 1.0
    scores = []
    for own in documents:
        total = 0.0
        for term in _terms(query):
            frequency = sum(term in other for other in documents)
            idf = math.log(1 + (len(documents) - frequency + 0.5) / (frequency + 0.5))
            count = own.count(term)
            total += idf * count / (count + k1 * (1 - b + b * len(own) / mean))
        scores.append(total)
    return scores


def _index(folder: Path, texts: Sequence[str], batch_rows: int = 2) -> Bm25Index:
    batches = [texts[start : start + batch_rows] for start in range(0, len(texts), batch_rows)]
    folder.mkdir(parents=True, exist_ok=True)
    build(folder, (pa.array(batch, pa.string()) for batch in batches), k1=1.2, b=0.75)
    return Bm25Index(folder)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The OLD bridge, l'été: 42", ["42", "bridge", "l", "old", "the", "été"]),
        ("東京タワー", ["タワ", "ワー", "京タ", "東京"]),
        ("水を", ["水を"]),
        ("水 ice", ["ice", "水"]),
        ("ราคาถูก", ["คา", "ถู", "าค", "าถ", "รา", "ูก"]),
        ("हिन्दी भाषा", ["भाषा", "हिन्दी"]),
        ("ﬁne ＡＢＣ", ["abc", "fine"]),
        ("?! …", []),
    ],
)
def test_terms_are_words_or_pairs_of_characters_where_words_have_no_spaces(
    text: str, terms: list[str]
) -> None:
    assert _terms(text) == sorted(terms)


def test_a_term_is_found_as_often_as_it_occurs_and_in_its_own_row() -> None:
    found = split_terms(pa.array(["b a b", "", "a"]))
    assert Counter(found.rows()) == {(0, "b"): 2, (0, "a"): 1, (2, "a"): 1}


def test_scores_are_those_of_the_formula_best_first(tmp_path: Path) -> None:
    rows, scores = _index(tmp_path, TEXTS).search(["river bridge"], 5, np.arange(5))
    expected = _naive(TEXTS, "river bridge")
    assert rows.tolist() == [[2, 0, 1, -1, -1]]
    assert scores[0, :3] == pytest.approx([expected[2], expected[0], expected[1]])
    assert np.isnan(scores[0, 3:]).all()


def test_a_query_without_a_known_word_finds_nothing(tmp_path: Path) -> None:
    rows, scores = _index(tmp_path, TEXTS).search(["volcano", "", "soup"], 2, np.arange(5))
    assert rows.tolist() == [[-1, -1], [-1, -1], [3, -1]]
    assert np.isnan(scores[:2]).all()


def test_of_equal_documents_the_first_ids_are_found_at_the_last_place(tmp_path: Path) -> None:
    id_order = np.array([3, 0, 2, 1, 4])
    rows, _ = _index(tmp_path, ["same words"] * 5).search(["words"], 2, id_order)
    assert rows.tolist() == [[1, 3]]


def test_a_corpus_without_a_word_can_be_asked(tmp_path: Path) -> None:
    rows, _ = _index(tmp_path, ["", "!"]).search(["word"], 1, np.arange(2))
    assert rows.tolist() == [[-1]]


_WORDS = st.lists(st.sampled_from(["a", "b", "c", "dd", "水氷", "ее"]), max_size=6).map(" ".join)


@hypothesis_settings(max_examples=40, deadline=None)
@given(texts=st.lists(_WORDS, min_size=1, max_size=9), query=_WORDS, entries=st.integers(1, 7))
def test_search_equals_sorting_all_scores_of_the_formula(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], query: str, entries: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_ENTRIES", entries)
        index = _index(tmp_path_factory.mktemp("bm25"), texts, batch_rows=3)
    rows, scores = index.search([query], len(texts), np.arange(len(texts)))
    expected = np.array(_naive(texts, query))
    found = rows[0][rows[0] >= 0]
    assert sorted(found.tolist()) == np.flatnonzero(expected > 0).tolist()
    assert scores[0, : len(found)] == pytest.approx(expected[found], rel=1e-5)
    assert (np.diff(scores[0, : len(found)]) <= 0).all()


def test_scores_equal_those_of_bm25s_for_the_same_terms(tmp_path: Path) -> None:
    import bm25s

    random = np.random.default_rng(5)
    texts = [" ".join(f"w{n}" for n in random.zipf(1.5, 30) % 200) for _ in range(300)]
    theirs = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    theirs.index([_terms(text) for text in texts], show_progress=False)
    index = _index(tmp_path, texts, batch_rows=64)
    for query in ("w1 w7 w33", "w2 w2 w90", "w150"):
        rows, scores = index.search([query], 300, np.arange(300))
        expected = theirs.get_scores(_terms(query))
        count = int((expected > 0).sum())
        assert sorted(rows[0, :count].tolist()) == np.flatnonzero(expected > 0).tolist()
        assert scores[0, :count] == pytest.approx(expected[rows[0, :count]], rel=1e-5)


def test_batches_decide_no_byte_of_the_index(tmp_path: Path) -> None:
    _index(tmp_path / "one", TEXTS, batch_rows=1)
    _index(tmp_path / "all", TEXTS, batch_rows=5)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["documents.npy", "index.json", "scores.npy", "starts.npy", "terms.parquet"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()


@pytest.fixture
def view(tmp_path: Path) -> CorpusView:
    rows = [document(f"d{i}", text or "-") for i, text in enumerate(TEXTS)]
    return visible.corpus(tmp_path, rows, {text: at(0) for text in TEXTS})


def _files(folder: Path, fingerprint: str = "f") -> CorpusFiles:
    path = folder / "documents.parquet"
    return CorpusFiles((path,), fingerprint, folder / "vectors", folder / "indexes")


def _bm25(**settings: object) -> Miner:
    return MINERS.build({"miner": "bm25", **settings})


def test_the_miner_proposes_documents_with_their_scores(tmp_path: Path, view: CorpusView) -> None:
    miner, files = _bm25(top_k=2), _files(tmp_path)
    miner.prepare(files)
    found = miner.propose(["river", "soup", "volcano"], view, files)
    assert found.source == "bm25"
    assert found.rows.tolist() == [[2, 0], [3, -1], [-1, -1]]
    assert found.scores[0] == pytest.approx(
        [_naive(TEXTS, "river")[row] for row in (2, 0)], rel=0.1
    )


def test_a_damaged_index_is_refused_and_built_again(tmp_path: Path, view: CorpusView) -> None:
    files = _files(tmp_path)
    _bm25().prepare(files)
    (folder,) = files.indexes.iterdir()
    victim = folder / "scores.npy"
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))
    with pytest.raises(DataError, match="a whole BM25 index"):
        Bm25Index(folder)
    assert _bm25(top_k=1).propose(["river"], view, files).rows.tolist() == [[2]]
    assert is_whole(folder)
    assert list(files.indexes.iterdir()) == [folder]


def test_another_corpus_or_setting_has_an_index_of_its_own(
    tmp_path: Path, view: CorpusView
) -> None:
    for miner, files in (
        (_bm25(), _files(tmp_path)),
        (_bm25(), _files(tmp_path, "other")),
        (_bm25(k1=0.9), _files(tmp_path)),
        (_bm25(top_k=7), _files(tmp_path)),
    ):
        miner.prepare(files)
    assert len(list((tmp_path / "indexes").iterdir())) == 3


def test_two_builders_at_once_leave_one_whole_index(tmp_path: Path, view: CorpusView) -> None:
    """The slower one finds the folder there when it has finished, and throws its own away."""
    from sdg import store

    files = _files(tmp_path)
    with store.atomic_folder(_bm25()._folder(files)) as slow:  # type: ignore[attr-defined]
        build(slow, [pa.array(TEXTS)], k1=1.2, b=0.75)
        _bm25().prepare(files)
    (folder,) = files.indexes.iterdir()
    assert is_whole(folder)
