"""FAISS flat inner-product search, on the CPU or a GPU: the only file that imports faiss."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mining.indexes import INDEXES, Index, Proposed
from sdg.errors import BackendError, missing_package

_GPU_MAX_K = 2048
_CORE_VARIABLE = "OPENBLAS_CORETYPE"


@INDEXES.register("faiss_flat")
class FaissFlat(Index):
    """Exact search by FAISS.

    The wheel of faiss-cpu carries an OpenBLAS that does not know recent Intel processors and then
    runs four to five times slower; on a processor with AVX-512 or AVX2 the right kernels are asked
    for before the import, unless OPENBLAS_CORETYPE is set (facebookresearch/faiss#4750).

    Attributes:
        device: "cpu", or "gpu": asked for and not there is an error, never a fallback. The GPU
            path is written against the documented API and was not yet run on a GPU.
    """

    device: Literal["cpu", "gpu"] = "cpu"

    def top_rows(
        self, queries: npt.NDArray[np.float32], block: npt.NDArray[np.float32], k: int
    ) -> Proposed:
        """Return the k best rows; see `Index.top_rows`.

        Raises:
            BackendError: If faiss is not installed, there is no GPU, or FAISS returns padding.
        """
        faiss = _load()
        queries, block = np.ascontiguousarray(queries), np.ascontiguousarray(block)
        if self.device == "gpu":
            return self._on_gpu(faiss, queries, block, k)
        scores, rows = faiss.knn(queries, block, k, metric=faiss.METRIC_INNER_PRODUCT)
        return _without_padding(rows, scores)

    def _on_gpu(
        self,
        faiss: Any,  # noqa: ANN401 - faiss has no types
        queries: npt.NDArray[np.float32],
        block: npt.NDArray[np.float32],
        k: int,
    ) -> Proposed:
        count = getattr(faiss, "get_num_gpus", lambda: 0)()
        if not count:
            raise BackendError(
                "`index.device` gpu must find a GPU and a FAISS built for it, but FAISS sees "
                f"{count} GPUs. Install the extra `gpu` on a machine with one, or set device: cpu."
            )
        resources = faiss.StandardGpuResources()
        # FAISS finds at most 2,048 rows on a GPU: for more, each slice gives all its rows.
        step = len(block) if k <= _GPU_MAX_K else _GPU_MAX_K
        parts = []
        for start in range(0, len(block), step):
            part = block[start : start + step]
            depth = min(k, len(part))
            scores, rows = faiss.knn_gpu(
                resources, queries, part, depth, metric=faiss.METRIC_INNER_PRODUCT
            )
            parts.append(_without_padding(rows + start, scores))
        rows = np.concatenate([part.rows for part in parts], axis=1)
        scores = np.concatenate([part.scores for part in parts], axis=1)
        best = np.argpartition(scores, rows.shape[1] - k, axis=1)[:, rows.shape[1] - k :]
        return Proposed(np.take_along_axis(rows, best, 1), np.take_along_axis(scores, best, 1))


def _without_padding(rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> Proposed:
    if (rows < 0).any():
        raise BackendError(
            "FAISS must find k rows in a block of at least k, but returned padding instead. "
            "Check the vectors for NaN."
        )
    return Proposed(np.asarray(rows, np.int64), np.asarray(scores, np.float32))


def _load() -> Any:  # noqa: ANN401 - faiss has no types
    try:
        with _fast_kernels():
            import faiss
    except ImportError as error:
        raise missing_package("faiss", "cpu", "The index `faiss_flat`") from error
    return faiss


@contextmanager
def _fast_kernels() -> Iterator[None]:
    """Name the processor while FAISS's OpenBLAS is loaded, which reads the variable just then."""
    core = _core_type()
    if not core or _CORE_VARIABLE in os.environ:
        yield
        return
    os.environ[_CORE_VARIABLE] = core
    try:
        yield
    finally:
        del os.environ[_CORE_VARIABLE]


def _core_type() -> str:
    """Return the newest kernels of the bundled OpenBLAS that this Intel processor runs, or ""."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123 - not a file of ours
            text = info.read(65_536)
    except OSError:
        return ""
    if "GenuineIntel" not in text:
        return ""
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    if {"avx512f", "avx512dq", "avx512bw", "avx512vl"} <= set(flags):
        return "SkylakeX"
    return "Haswell" if {"avx2", "fma"} <= set(flags) else ""
