"""Columns of a corpus in Parquet files, and its texts on demand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sdg import store
from sdg.errors import DataError

Rows = npt.NDArray[np.int64]

_REMEMBERED_BYTES = 256 * 2**20


class ParquetTexts:
    """The rows of several Parquet files, numbered through in the order of files and rows.

    Texts are decoded one row group at a time; the last `_REMEMBERED_BYTES` of them stay in memory.
    Safe to be asked by several threads.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read the files' footers.

        Raises:
            DataError: If a file is missing or no Parquet file.
        """
        self.paths = list(paths)
        starts, self._groups = [0], list[tuple[Path, int]]()
        for path in self.paths:
            for group, rows in enumerate(_group_rows(path)):
                self._groups.append((path, group))
                starts.append(starts[-1] + rows)
        self._starts = np.array(starts, np.int64)
        self._decoded: OrderedDict[int, pa.Array] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._starts[-1])

    @property
    def names(self) -> list[str]:
        """Return the names of the columns; [] without any file."""
        return pq.read_schema(self.paths[0]).names if self.paths else []

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column of all rows."""
        return pa.concat_tables([store.read_parquet(path, [name]) for path in self.paths])[name]

    def texts(self, rows: Rows) -> list[str]:
        """Return the texts of `rows`, in their order; rows may repeat."""
        out = [""] * len(rows)
        group_of = np.searchsorted(self._starts, rows, side="right") - 1
        for group in np.unique(group_of).tolist():
            here = np.flatnonzero(group_of == group)
            taken = self._group(group).take(pa.array(rows[here] - self._starts[group]))
            for place, text in zip(here.tolist(), taken.to_pylist(), strict=True):
                out[place] = text
        return out

    def _group(self, number: int) -> pa.Array:
        with self._lock:
            if number in self._decoded:
                self._decoded.move_to_end(number)
                return self._decoded[number]
        path, group = self._groups[number]
        try:
            column = pq.ParquetFile(path).read_row_group(group, columns=["text"])["text"]
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"`{path}` must be a readable Parquet file, but row group {group} gave: {error}. "
                "Write the file again."
            ) from error
        # 64-bit offsets: a row group of long documents may exceed 2 GiB.
        texts = column.cast(pa.large_string()).combine_chunks()
        with self._lock:
            self._decoded[number] = texts
            while len(self._decoded) > 1 and self._num_bytes() > _REMEMBERED_BYTES:
                self._decoded.popitem(last=False)
        return texts

    def _num_bytes(self) -> int:
        return sum(array.nbytes for array in self._decoded.values())


def _group_rows(path: Path) -> list[int]:
    try:
        metadata = pq.ParquetFile(path).metadata
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"`{path}` must be a readable Parquet file, but reading it gave: {error}. "
            "Check the path, or write the file again."
        ) from error
    return [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
