"""Texts in a file that is mapped into memory: one array, however large, of which pages are read.

    <path>.bytes     all texts, one after the other, UTF-8
    <path>.offsets   (U + 1,) int64: where each begins

An Arrow IPC file holds batches, and `take` over a column of many batches copies all of them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_cards.audit.audited_set import Texts

_INT64 = 8


class TextWriter:
    """Appends texts to a file; a context manager, closed when the block ends.

    Args:
        path: Of the bytes; overwritten.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out = path.open("wb")
        self._lengths: list[npt.NDArray[np.int64]] = []

    def __enter__(self) -> TextWriter:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._out.close()

    def add(self, texts: pl.Series) -> None:
        """Append texts, none of them null."""
        if not len(texts):
            return
        array = texts.rechunk().to_arrow().cast(pa.large_string())
        _, places, data = array.buffers()
        offsets = np.frombuffer(places, np.int64)[array.offset : array.offset + len(array) + 1]
        self._lengths.append(np.diff(offsets))
        if data is not None:
            self._out.write(memoryview(data)[offsets[0] : offsets[-1]])

    def append(self, other: TextWriter) -> None:
        """Append all texts of another writer, which is closed and whose file goes away."""
        other._out.close()
        with other._path.open("rb") as read:
            shutil.copyfileobj(read, self._out, 1 << 22)
        other._path.unlink()
        self._lengths += other._lengths

    def finish(self) -> Texts:
        """Return all texts in the order in which they were added, mapped from the file.

        The file may be removed while they are in use.
        """
        self._out.close()
        lengths = np.concatenate([np.zeros(1, np.int64), *self._lengths])
        if len(lengths) == 1:
            return Texts(pa.chunked_array([pa.array([], pa.large_string())]))
        offsets = self._path.with_suffix(".offsets")
        np.cumsum(lengths).tofile(offsets)
        array = pa.LargeStringArray.from_buffers(
            len(lengths) - 1, _mapped(offsets), _mapped(self._path)
        )
        return Texts(pa.chunked_array([array]))


def _mapped(path: Path) -> pa.Buffer:
    if not path.stat().st_size:
        return pa.py_buffer(b"")
    with pa.memory_map(str(path)) as mapped:
        return mapped.read_buffer()
