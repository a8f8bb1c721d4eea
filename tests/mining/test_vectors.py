"""Vectors on disk: made once, found again, mended when damaged, never NaN."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mining.corpus import CorpusView
from mining.embed import embed_documents
from mining.encoders import ENCODERS
from mining.vectors import VectorStore, text_key
from sdg import store as files
from sdg.errors import ConfigError, ContractError, DataError
from sdg.schemas import DOCUMENTS
from tests.mining.visible import GivenVectors, document

TEXTS = [f"text number {i}" for i in range(10)]


def _store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> VectorStore:
    monkeypatch.setattr("mining.vectors.BLOCK_ROWS", 4)
    return VectorStore(
        folder, ENCODERS.build({"encoder": "hashing", "num_dimensions": 16}), "document"
    )


def test_a_text_is_embedded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _store(tmp_path, monkeypatch).ensure(iter([TEXTS[:7], TEXTS[5:]])) == 10
    again = _store(tmp_path, monkeypatch)
    assert again.ensure(iter([TEXTS, ["new"]])) == 1
    expected = again.encoder.encode(TEXTS, "document")
    assert np.array_equal(again.gather([text_key(t) for t in TEXTS]), expected)


def test_a_damaged_block_is_found_and_embedded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _store(tmp_path, monkeypatch)
    store.ensure(iter([TEXTS]))
    victim = store.folder / "block-00001.npy"
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))
    again = _store(tmp_path, monkeypatch)
    assert again.ensure(iter([TEXTS])) == 4
    expected = again.encoder.encode(TEXTS, "document")
    assert np.array_equal(again.gather([text_key(t) for t in TEXTS]), expected)


def test_another_setting_of_the_encoder_has_its_own_vectors(tmp_path: Path) -> None:
    one = VectorStore(tmp_path, ENCODERS.build({"encoder": "hashing", "max_length": 5}), "document")
    other = VectorStore(
        tmp_path, ENCODERS.build({"encoder": "hashing", "max_length": 4}), "document"
    )
    one.ensure(iter([TEXTS]))
    assert other.ensure(iter([TEXTS])) == 10
    assert VectorStore(tmp_path, one.encoder, "query").folder != one.folder


def test_nan_is_refused_with_the_text(tmp_path: Path) -> None:
    encoder = GivenVectors()
    encoder._table["rotten"] = [float("nan"), 0.0]
    store = VectorStore(tmp_path, encoder, "document")
    with pytest.raises(DataError, match="'rotten'"):
        store.ensure(iter([["fine", "rotten"]]))


def test_a_text_without_a_vector_is_an_error_and_not_the_last_row(tmp_path: Path) -> None:
    store = VectorStore(tmp_path, GivenVectors(), "document")
    with pytest.raises(ContractError, match="must be embedded"):
        store.gather([text_key("never")])


def test_float16_has_its_own_vectors_rounded_to_it(tmp_path: Path) -> None:
    encoder = ENCODERS.build({"encoder": "hashing", "num_dimensions": 16})
    whole = VectorStore(tmp_path, encoder, "document")
    half = VectorStore(tmp_path, encoder, "document", "float16")
    assert whole.folder != half.folder
    half.ensure([TEXTS])
    expected = encoder.encode(TEXTS, "document").astype(np.float16).astype(np.float32)
    again = VectorStore(tmp_path, encoder, "document", "float16")
    assert np.array_equal(again.gather([text_key(t) for t in TEXTS]), expected)


def test_a_text_that_repeats_around_the_end_of_a_block_is_embedded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _store(tmp_path, monkeypatch)
    assert store.ensure([[*TEXTS[:4], TEXTS[0], TEXTS[3], *TEXTS[4:6], TEXTS[4]], TEXTS[:6]]) == 6
    assert len(_store(tmp_path, monkeypatch)) == 6


@pytest.mark.parametrize("order", [range(10), range(9, -1, -1), [3, 3, 9, 0, 4, 4, 7]])
def test_places_are_read_in_any_order_across_blocks(
    order: Sequence[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _store(tmp_path, monkeypatch)
    store.ensure([TEXTS])
    expected = store.encoder.encode([TEXTS[i] for i in order], "document")
    assert np.array_equal(store.read(np.array(order)), expected)


def test_a_whole_block_is_hashed_once_while_it_is_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(tmp_path, monkeypatch).ensure([TEXTS])
    monkeypatch.setattr("sdg.store._SETTLED_NANOSECONDS", 0)
    hashed: list[str] = []
    real = files.sha256_of

    def hash_and_count(path: Path) -> str:
        hashed.append(path.name)
        return real(path)

    monkeypatch.setattr(files, "sha256_of", hash_and_count)
    for _ in range(3):
        assert len(_store(tmp_path, monkeypatch)) == 10
    assert sorted(hashed) == sorted(
        f"block-0000{i}{suffix}" for i in range(3) for suffix in (".npy", ".keys.npy")
    )


def test_a_corpus_whose_keys_are_known_is_opened_without_reading_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = ENCODERS.build({"encoder": "hashing"})
    rows = [document(f"d{i}", text) for i, text in enumerate(TEXTS)]
    path = tmp_path / "c.parquet"
    files.write_parquet(path, pa.Table.from_pylist(rows, schema=DOCUMENTS))
    embed_documents(VectorStore(tmp_path / "v", encoder, "document"), [path])

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a text was read")

    monkeypatch.setattr("mining.text_keys.keys_of", refuse)
    monkeypatch.setattr("mining.texts.ParquetTexts.texts", refuse)
    view = CorpusView.open([path], VectorStore(tmp_path / "v", encoder, "document"))
    expected = encoder.encode(TEXTS, "document")
    assert np.array_equal(view.vectors_of(np.arange(10)), expected)


def test_any_column_is_an_attribute_and_an_unknown_one_lists_those_there(tmp_path: Path) -> None:
    languages = ["fra-Latn", "", "eng-Latn", "fra-Latn"]
    rows = [document(f"d{i}", f"text {i}", language=tag) for i, tag in enumerate(languages)]
    path, beside = tmp_path / "c.parquet", tmp_path / "more.parquet"
    files.write_parquet(path, pa.Table.from_pylist(rows, schema=DOCUMENTS))
    files.write_parquet(beside, pa.table({"domain": ["law", None, "law", "art"]}))
    encoder = GivenVectors()
    view = CorpusView.open([path], VectorStore(tmp_path / "v", encoder, "document"), [beside])
    codes, values = view.attribute("language")
    assert [values[c] if c >= 0 else "" for c in codes] == languages
    codes, values = view.attribute("domain")
    assert [values[c] if c >= 0 else "" for c in codes] == ["law", "", "law", "art"]
    with pytest.raises(ConfigError, match=r"one of .*domain.* but is 'author' instead"):
        view.attribute("author")
