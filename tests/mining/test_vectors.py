"""Vectors on disk: made once, found again, mended when damaged, never NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mining.encoders import ENCODERS
from mining.vectors import VectorStore, text_key
from sdg.errors import ContractError, DataError
from tests.mining.visible import GivenVectors

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
