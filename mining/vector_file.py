"""One .npy file of vectors, read piece by piece and never mapped into memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdg.errors import DataError

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_KINDS = (np.float16, np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class VectorFile:
    """A matrix in an .npy file, C order.

    Rows are read with `pread` into a fresh array. A mapped file would stay in the process's memory
    page by page until all of it is there, which for a corpus of millions is the whole budget.

    Attributes:
        path: The file.
        offset: Of the first number, in bytes.
        num_rows: N.
        dimension: D.
        dtype: float16, float32 or float64 as stored; reading gives float32.
    """

    path: Path
    offset: int
    num_rows: int
    dimension: int
    dtype: np.dtype[Any]

    @classmethod
    def open(cls, path: Path) -> VectorFile:
        """Return the file with its header read.

        Raises:
            DataError: If it is no .npy file with a matrix of floats in C order, or is cut off.
        """
        try:
            with path.open("rb") as handle:
                version = np.lib.format.read_magic(handle)
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }[version]
                shape, is_fortran, dtype = read(handle)
                offset = handle.tell()
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"`{path}` must be a readable .npy file, but reading its header gave: {error}. "
                "Write it with numpy.save."
            ) from error
        if len(shape) != 2 or is_fortran or dtype.newbyteorder("=") not in _KINDS:
            order = "Fortran" if is_fortran else "C"
            raise DataError(
                f"`{path}` must hold a matrix of float16, float32 or float64 in C order, but holds "
                f"{dtype} of shape {shape} in {order} order instead. Save "
                "np.ascontiguousarray(vectors, np.float32)."
            )
        there, wanted = path.stat().st_size - offset, shape[0] * shape[1] * dtype.itemsize
        if there < wanted:
            raise DataError(
                f"`{path}` must hold {wanted} bytes of vectors, but holds {there} instead. "
                "Copy or write the file again."
            )
        return cls(path, offset, shape[0], shape[1], dtype)

    def read(self, rows: Rows) -> Floats:
        """Return (R, D) float32 of rows, which may repeat and come in any order.

        Runs of consecutive rows are one request to the system.

        Raises:
            DataError: If the file cannot be read any more.
        """
        out = np.empty((len(rows), self.dimension), self.dtype)
        if not len(rows):
            return out.astype(np.float32)
        width = self.dimension * self.dtype.itemsize
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        starts = [0, *breaks.tolist()]
        ends = [*breaks.tolist(), len(rows)]
        places = (self.offset + rows[starts] * width).tolist()
        view = out.view(np.uint8).reshape(-1).data
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                for start, end, place in zip(starts, ends, places, strict=True):
                    _fill(descriptor, view[start * width : end * width], place)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DataError(
                f"`{self.path}` must be readable while it is used, but reading gave: {error}. "
                "Run the command again."
            ) from error
        return out.astype(np.float32, copy=False)


def _fill(descriptor: int, target: memoryview, place: int) -> None:
    """Read until `target` is full: one call gives at most 2 GiB."""
    done = 0
    while done < len(target):
        got = os.preadv(descriptor, [target[done:]], place + done)
        if not got:
            raise OSError("the file ends too early")
        done += got
