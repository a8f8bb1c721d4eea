"""The vectors inside a flat FAISS index file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mining.indexes.faiss_library import load_faiss
from mining.vector_file import Floats
from sdg.errors import DataError

_ROWS = 16_384


def read_flat_index(path: Path) -> Iterator[Floats]:
    """Yield (B, D) float32 vectors in the order of the index, whose file is mapped meanwhile.

    Raises:
        DataError: If the file is no FAISS index, or not a flat one: others keep no exact vectors,
            or none in an order that could be told.
        BackendError: If faiss is not installed.
    """
    faiss = load_faiss()
    try:
        # Mapped: read as a whole, ten million vectors of 1,024 numbers would be 38 GiB in memory.
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DataError(
            f"`{path}` must be a FAISS index file, but reading it gave: {str(error)[:200]}. "
            "Write it with faiss.write_index, or give the vectors as .npy."
        ) from error
    if not isinstance(index, faiss.IndexFlat):
        raise DataError(
            f"`{path}` must hold a flat FAISS index, but holds {type(index).__name__} instead. "
            "Give the vectors as .npy."
        )
    for start in range(0, index.ntotal, _ROWS):
        count = min(_ROWS, index.ntotal - start)
        yield np.asarray(index.reconstruct_n(start, count), np.float32)
