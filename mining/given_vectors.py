"""Vectors that were computed elsewhere: .npy, a list column in Parquet, or a flat FAISS index.

Row i belongs to document i of the corpus as it was given. An .npy file is read where it lies; the
other two are written once as .npy into the run's folder, so that any part can be read at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mining.faiss_vectors import read_flat_index
from mining.texts import ParquetTexts
from mining.vector_file import Floats, Rows, VectorFile
from sdg import store
from sdg.errors import DataError
from sdg.ids import fingerprint

# Vectors kept in float16 are off by up to 0.0005 (own bound: twice that).
MAX_LENGTH_ERROR = 1e-3
_CHECK_ROWS = 16_384
FAISS_SUFFIXES = (".faiss", ".index")


class Label(NamedTuple):
    """What given vectors are called in `dense:<name>`."""

    name: str


@dataclass(frozen=True, slots=True)
class GivenReport:
    """What checking given vectors found.

    Attributes:
        rows: Vectors.
        zeros: Vectors of length 0; allowed: they score 0 with everything.
    """

    rows: int
    zeros: int


class GivenVectors:
    """Vectors of a corpus that nobody here computed.

    Args:
        file: The vectors.
        name: Of what made them, for `negative_sources`.
        normalise: Divide every row by its length when it is read.
        rows: (N,) row in the file of every document, where some rows of the corpus were rejected;
            None: row i is document i.
    """

    def __init__(
        self, file: VectorFile, name: str, *, normalise: bool = False, rows: Rows | None = None
    ) -> None:
        self.file = file
        self.encoder = Label(name)
        self.normalise = normalise
        self._rows = rows

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.file.dimension

    def places_of(self, texts: ParquetTexts) -> Rows:
        """Return the row in the file of every document.

        Raises:
            DataError: If there are fewer or more vectors than documents.
        """
        places = np.arange(self.file.num_rows, dtype=np.int64) if self._rows is None else self._rows
        if len(places) != len(texts):
            raise DataError(
                f"`{self.file.path}` must hold one vector per document ({len(texts)}), but holds "
                f"{len(places)} instead. Embed exactly the documents of the corpus, in their order."
            )
        return places

    def read(self, places: Rows) -> Floats:
        """Return (R, D) float32 vectors at places, of length 1 (or 0) if `normalise`."""
        vectors = self.file.read(places)
        return normalised(vectors) if self.normalise else vectors

    def check(self) -> GivenReport:
        """Read the vectors of all documents once; rows of the file that none of them has are not.

        Raises:
            DataError: If a number is NaN or infinite, or a row has another length than 1 or 0 and
                `normalise` is off.
        """
        return self.check_rows(np.arange(self.file.num_rows) if self._rows is None else self._rows)

    def check_rows(self, rows: Rows) -> GivenReport:
        """Read some rows of the file; see `check`."""
        zeros = 0
        for start in range(0, len(rows), _CHECK_ROWS):
            zeros += int((self._checked_lengths(rows[start : start + _CHECK_ROWS]) == 0).sum())
        return GivenReport(len(rows), zeros)

    def _checked_lengths(self, rows: Rows) -> npt.NDArray[np.float64]:
        lengths: npt.NDArray[np.float64] = _lengths(self.file.read(rows))
        bad = np.flatnonzero(~np.isfinite(lengths))
        if len(bad):
            raise DataError(
                f"`{self.file.path}` must hold finite numbers, but row {rows[bad[0]]} has "
                "NaN or infinity. Embed that text again, or leave it out of the corpus."
            )
        off = np.flatnonzero((np.abs(lengths - 1) > MAX_LENGTH_ERROR) & (lengths > 0))
        if len(off) and not self.normalise:
            raise DataError(
                f"`{self.file.path}` must hold rows of length 1, but row {rows[off[0]]} has "
                f"length {lengths[off[0]]:.4f} instead. Set `vectors.normalise: true` to mine by "
                "cosine."
            )
        return lengths


def open_vectors(paths: Sequence[Path], column: str, folder: Path) -> VectorFile:
    """Return the vectors in files of one kind, told by the suffix.

    Args:
        paths: One .npy or FAISS file, or Parquet files in the order of the corpus.
        column: Of the vectors, in Parquet; "": the only column of lists of floats.
        folder: Where Parquet and FAISS files are written again as .npy; found there next time.

    Raises:
        DataError: If a file is of no known kind, damaged, or holds no vectors.
        BackendError: If faiss is needed and missing.
    """
    suffixes = {path.suffix.lower() for path in paths}
    if suffixes == {".npy"} and len(paths) == 1:
        return VectorFile.open(paths[0])
    if suffixes == {".parquet"}:
        return _imported(_parquet_blocks(paths, column), paths, column, folder)
    if len(paths) == 1 and suffixes <= set(FAISS_SUFFIXES):
        return _imported(read_flat_index(paths[0]), paths, "", folder)
    raise DataError(
        f"`vectors` must be one .npy file, one FAISS file ({', '.join(FAISS_SUFFIXES)}) or Parquet "
        f"files, but is {', '.join(map(str, paths))} instead. Save them as one .npy file."
    )


def normalised(vectors: Floats) -> Floats:
    """Return rows divided by their length; a row of length 0 stays."""
    lengths = _lengths(vectors)[:, None]
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def _lengths(vectors: Floats) -> npt.NDArray[np.float64]:
    return np.sqrt(np.einsum("rd,rd->r", vectors, vectors, dtype=np.float64))


def _imported(
    blocks: Iterator[Floats], paths: Sequence[Path], column: str, folder: Path
) -> VectorFile:
    key = fingerprint([[store.remembered_sha256(path) for path in paths], column])[:32]
    path, manifest = folder / f"{key}.npy", folder / f"{key}.json"
    if not store.is_whole(manifest, {"sha256": path}):
        _write(blocks, path)
        store.write_json(manifest, {"sha256": store.sha256_of(path)})
    return VectorFile.open(path)


def _write(blocks: Iterator[Floats], path: Path) -> None:
    """Write blocks one after the other; the header, of fixed size, is written last."""
    num_rows, width = 0, 0
    with store.atomic_path(path) as temporary, temporary.open("wb") as out:
        _write_header(out, (0, 0))
        for block in blocks:
            if num_rows and block.shape[1] != width:
                raise DataError(
                    f"Vectors must all have one length ({width}), but one of rows {num_rows} to "
                    f"{num_rows + len(block) - 1} has {block.shape[1]}. Embed with one model."
                )
            width = block.shape[1]
            num_rows += len(block)
            out.write(np.ascontiguousarray(block, np.float32).data)
        out.seek(0)
        _write_header(out, (num_rows, width))


def _write_header(out: object, shape: tuple[int, int]) -> None:
    # numpy leaves room for the number of rows to grow, so both headers have one length.
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)


def _parquet_blocks(paths: Sequence[Path], column: str) -> Iterator[Floats]:
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                name = _vector_column(file.schema_arrow, column, path)
                row = 0
                for batch in file.iter_batches(_CHECK_ROWS, columns=[name]):
                    yield _matrix(batch[name], path, row)
                    row += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"`{path}` must be a readable Parquet file, but reading it gave: {error}. "
                "Copy or write the file again."
            ) from error


def _vector_column(schema: pa.Schema, column: str, path: Path) -> str:
    lists = [f.name for f in schema if _is_list(f.type) and pa.types.is_floating(f.type.value_type)]
    if column in lists:
        return column
    if not column and len(lists) == 1:
        return str(lists[0])
    wanted = f"the column `{column}`" if column else "exactly one column"
    raise DataError(
        f"`{path}` must have {wanted} with lists of floats, but such columns are "
        f"{', '.join(lists) or 'none'}. Set `vectors.column`."
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _matrix(column: pa.Array, path: Path, row: int) -> Floats:
    """Return (B, D) float32 of a list column in which every list has one length."""
    lengths = np.unique(np.asarray(column.value_lengths().fill_null(-1)))
    if len(lengths) > 1 or column.null_count or (len(lengths) and lengths[0] < 1):
        raise DataError(
            f"`{path}` must hold one vector of one length in every row, but rows {row} to "
            f"{row + len(column) - 1} hold lists of the lengths {lengths.tolist()[:4]} (-1: null). "
            "Embed every text with one model."
        )
    values = column.flatten()
    if values.null_count:
        raise DataError(
            f"`{path}` must hold numbers only, but rows {row} to {row + len(column) - 1} hold a "
            "null inside a vector. Embed that text again."
        )
    flat = np.asarray(values).astype(np.float32)
    return flat.reshape(len(column), -1)
