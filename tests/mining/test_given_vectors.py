"""Vectors that were computed elsewhere: read as they are, or refused with row and cure."""

from __future__ import annotations

import re
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mining.corpus import CorpusView
from mining.faiss_vectors import read_flat_index
from mining.given_vectors import GivenReport, GivenVectors, open_vectors
from mining.vector_file import Floats
from sdg.errors import DataError
from sdg.schemas import DOCUMENTS
from sdg.store import write_parquet
from tests.mining.visible import at, document

FAN = np.array([at(10 * i) for i in range(7)], np.float32)


def _save(path: Path, vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Path:
    np.save(path, vectors)
    return path


def _open(path: Path, column: str = "") -> GivenVectors:
    return GivenVectors(open_vectors([path], column, path.parent / "imported"), "e5")


def _documents(folder: Path, count: int) -> Path:
    rows = [document(f"d{i}", f"text {i}") for i in range(count)]
    write_parquet(folder / "c.parquet", pa.Table.from_pylist(rows, schema=DOCUMENTS))
    return folder / "c.parquet"


def _as_npy(folder: Path) -> GivenVectors:
    return _open(_save(folder / "v.npy", FAN))


def _as_lists(folder: Path) -> GivenVectors:
    table = pa.table({"id": range(7), "vector": pa.array(FAN.tolist(), pa.list_(pa.float32()))})
    pq.write_table(table, folder / "v.parquet", row_group_size=3)
    return _open(folder / "v.parquet")


def _as_fixed_lists_of_doubles(folder: Path) -> GivenVectors:
    kind = pa.list_(pa.float64(), 2)
    table = pa.table({"a": pa.array(FAN.tolist(), kind), "b": pa.array((-FAN).tolist(), kind)})
    pq.write_table(table, folder / "v.parquet")
    return _open(folder / "v.parquet", "a")


def _as_faiss(folder: Path) -> GivenVectors:
    index = faiss.IndexFlatIP(2)
    index.add(FAN)
    faiss.write_index(index, str(folder / "v.faiss"))
    return _open(folder / "v.faiss")


@pytest.mark.parametrize("kind", [_as_npy, _as_lists, _as_fixed_lists_of_doubles, _as_faiss])
def test_every_kind_of_file_gives_the_same_corpus(kind: object, tmp_path: Path) -> None:
    given: GivenVectors = kind(tmp_path)  # type: ignore[operator]
    view = CorpusView.open([_documents(tmp_path, 7)], given)
    blocks = [(first, block.tolist()) for first, block in view.blocks(3)]
    assert blocks == [(i, FAN[i : i + 3].tolist()) for i in (0, 3, 6)]
    asked = np.array([6, 0, 3, 3])
    assert np.array_equal(view.vectors_of(asked), FAN[asked])
    assert view.miner == "dense:e5"
    assert given.check() == GivenReport(7, 0)


def test_a_flat_index_is_mapped_and_not_read_into_memory(tmp_path: Path) -> None:
    vectors = np.random.default_rng(5).normal(size=(131_072, 128)).astype(np.float32)
    index = faiss.IndexFlatIP(128)
    index.add(vectors)
    faiss.write_index(index, str(tmp_path / "v.faiss"))
    del index
    before = _own_memory()
    blocks = read_flat_index(tmp_path / "v.faiss")
    assert np.array_equal(next(blocks), vectors[:16_384])
    # The file has 64 MiB, a block 8.
    assert _own_memory() - before < 24 * 2**20
    for start, block in enumerate(blocks, start=1):
        assert np.array_equal(block, vectors[start * 16_384 : (start + 1) * 16_384])


def _own_memory() -> int:
    """Return bytes of this process that are no pages of files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"RssAnon:\s+(\d+) kB", status)[0]) * 1024


def test_half_precision_is_read_as_stored(tmp_path: Path) -> None:
    given = _open(_save(tmp_path / "v.npy", FAN.astype(np.float16)))
    assert np.array_equal(given.read(np.arange(7)), FAN.astype(np.float16).astype(np.float32))
    assert given.check() == GivenReport(7, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_with_its_row(value: float, tmp_path: Path) -> None:
    bad = FAN.copy()
    bad[5, 1] = value
    with pytest.raises(DataError, match="row 5 has NaN or infinity"):
        _open(_save(tmp_path / "v.npy", bad)).check()


def test_only_vectors_of_documents_that_are_there_are_checked(tmp_path: Path) -> None:
    bad = FAN.copy()
    bad[[2, 5]] = np.nan
    bad[3] = 0
    file = open_vectors([_save(tmp_path / "v.npy", bad)], "", tmp_path)
    assert GivenVectors(file, "e5", rows=np.array([0, 1, 3, 6])).check() == GivenReport(4, 1)
    with pytest.raises(DataError, match="row 5 has NaN or infinity"):
        GivenVectors(file, "e5", rows=np.array([0, 1, 5])).check()


def test_rows_that_are_not_of_unit_length_are_refused_unless_they_are_to_be_normalised(
    tmp_path: Path,
) -> None:
    scaled = FAN.copy()
    scaled[4] *= 3
    path = _save(tmp_path / "v.npy", scaled)
    with pytest.raises(DataError, match=r"row 4 has length 3\.0000"):
        _open(path).check()
    given = GivenVectors(open_vectors([path], "", tmp_path), "e5", normalise=True)
    given.check()
    assert np.allclose(given.read(np.arange(7)), FAN, atol=1e-7)


def test_a_zero_vector_is_allowed_counted_and_stays_zero(tmp_path: Path) -> None:
    holey = FAN.copy()
    holey[2] = 0
    path = _save(tmp_path / "v.npy", holey)
    given = GivenVectors(open_vectors([path], "", tmp_path), "e5", normalise=True)
    assert given.check() == GivenReport(7, 1)
    assert given.read(np.array([2])).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("count", [6, 8])
def test_another_number_of_vectors_than_documents_is_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"one vector per document \({count}\), but holds 7"):
        CorpusView.open([_documents(tmp_path, count)], _as_npy(tmp_path))


def _ragged(folder: Path) -> Path:
    table = pa.table({"v": pa.array([[1.0, 0.0], [1.0]], pa.list_(pa.float32()))})
    pq.write_table(table, folder / "v.parquet")
    return folder / "v.parquet"


def _null_row(folder: Path) -> Path:
    table = pa.table({"v": pa.array([[1.0, 0.0], None], pa.list_(pa.float32()))})
    pq.write_table(table, folder / "v.parquet")
    return folder / "v.parquet"


def _two_columns(folder: Path) -> Path:
    column = pa.array([[1.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"a": column, "b": column}), folder / "v.parquet")
    return folder / "v.parquet"


def _not_flat(folder: Path) -> Path:
    faiss.write_index(faiss.index_factory(2, "HNSW8"), str(folder / "v.faiss"))
    return folder / "v.faiss"


def _no_index(folder: Path) -> Path:
    (folder / "v.faiss").write_bytes(b"nothing of the kind")
    return folder / "v.faiss"


def _integers(folder: Path) -> Path:
    np.save(folder / "v.npy", np.ones((2, 2), np.int64))
    return folder / "v.npy"


def _cut_off(folder: Path) -> Path:
    path = _save(folder / "v.npy", FAN)
    path.write_bytes(path.read_bytes()[:-4])
    return path


def _a_vector(folder: Path) -> Path:
    return _save(folder / "v.npy", FAN[0])


def _pickled(folder: Path) -> Path:
    np.save(folder / "v.npy", np.array([[{}]], object), allow_pickle=True)
    return folder / "v.npy"


def _text(folder: Path) -> Path:
    (folder / "v.csv").write_text("1,0\n")
    return folder / "v.csv"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_ragged, "one length in every row"),
        (_null_row, "one length in every row"),
        (_two_columns, "exactly one column with lists of floats, but such columns are a, b"),
        (_not_flat, "flat FAISS index, but holds IndexHNSWFlat"),
        (_no_index, "must be a FAISS index file"),
        (_integers, "holds int64"),
        (_cut_off, "must hold 56 bytes of vectors, but holds 52"),
        (_a_vector, r"of shape \(2,\)"),
        (_pickled, "holds object"),
        (_text, "must be one .npy file"),
    ],
)
def test_a_file_without_vectors_is_refused(make: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        _open(make(tmp_path))  # type: ignore[operator]


def test_an_imported_file_is_found_again_and_mended_when_damaged(tmp_path: Path) -> None:
    given = _as_lists(tmp_path)
    first = given.file.path.read_bytes()
    given.file.path.write_bytes(first[:-1] + b"!")
    mended = _as_lists(tmp_path)
    assert mended.file.path.read_bytes() == first


def test_documents_that_were_rejected_keep_the_others_vectors(tmp_path: Path) -> None:
    file = open_vectors([_save(tmp_path / "v.npy", FAN)], "", tmp_path)
    given = GivenVectors(file, "e5", rows=np.array([0, 2, 5]))
    view = CorpusView.open([_documents(tmp_path, 3)], given)
    expected: Floats = FAN[[0, 2, 5]]
    assert np.array_equal(view.vectors_of(np.arange(3)), expected)
