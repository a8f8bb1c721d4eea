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
        starts, self._groups = [0], list[tuple[int, int]]()
        # Kept, as reading a footer of a thousand row groups takes longer than reading one of them.
        self._footers = [_footer(path) for path in self.paths]
        for number, footer in enumerate(self._footers):
            for group in range(footer.num_row_groups):
                self._groups.append((number, group))
                starts.append(starts[-1] + footer.row_group(group).num_rows)
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
        """Return the texts of `rows`, in their order; rows may repeat.

        Row groups are decoded in their order, each once a call. Ask for many rows at a time, and
        for more than fit in memory in ascending pieces: random rows in small pieces decode every
        row group again for each of them.
        """
        out = [""] * len(rows)
        group_of = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(group_of, kind="stable")
        groups, firsts = np.unique(group_of[order], return_index=True)
        pieces = np.split(order, firsts[1:])
        # Splitting no rows gives one piece of none.
        for group, here in zip(groups.tolist(), pieces, strict=False):
            taken = self._group(group).take(pa.array(rows[here] - self._starts[group]))
            for place, text in zip(here.tolist(), taken.to_pylist(), strict=True):
                out[place] = text
        return out

    def _group(self, number: int) -> pa.Array:
        with self._lock:
            if number in self._decoded:
                self._decoded.move_to_end(number)
                return self._decoded[number]
        file, group = self._groups[number]
        path = self.paths[file]
        try:
            opened = pq.ParquetFile(path, metadata=self._footers[file])
            column = opened.read_row_group(group, columns=["text"])["text"]
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


def _footer(path: Path) -> pq.FileMetaData:
    try:
        return pq.ParquetFile(path).metadata
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"`{path}` must be a readable Parquet file, but reading it gave: {error}. "
            "Check the path, or write the file again."
        ) from error
