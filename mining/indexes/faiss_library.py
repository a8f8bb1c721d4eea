"""FAISS, imported with the kernels that suit the processor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sdg.errors import missing_package

_CORE_VARIABLE = "OPENBLAS_CORETYPE"


def load_faiss() -> Any:  # noqa: ANN401 - faiss has no types
    """Return the module.

    The wheel of faiss-cpu carries an OpenBLAS that does not know recent Intel processors and then
    runs four to five times slower; on a processor with AVX-512 or AVX2 the right kernels are asked
    for before the import, unless OPENBLAS_CORETYPE is set (facebookresearch/faiss#4750).

    Raises:
        BackendError: If faiss is not installed.
    """
    try:
        with _fast_kernels():
            import faiss
    except ImportError as error:
        raise missing_package("faiss", "cpu", "An index of FAISS") from error
    return faiss


@contextmanager
def _fast_kernels() -> Iterator[None]:
    """Name the processor while FAISS's OpenBLAS is loaded, which reads the variable just then."""
    core = core_type()
    if not core or _CORE_VARIABLE in os.environ:
        yield
        return
    os.environ[_CORE_VARIABLE] = core
    try:
        yield
    finally:
        del os.environ[_CORE_VARIABLE]


def core_type() -> str:
    """Return the newest kernels of the bundled OpenBLAS that this Intel processor runs, or ""."""
    flags = _intel_flags()
    if {"avx512f", "avx512dq", "avx512bw", "avx512vl"} <= flags:
        return "SkylakeX"
    return "Haswell" if {"avx2", "fma"} <= flags else ""


def _intel_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123 - not a file of ours
            text = info.read(65_536)
    except OSError:
        return set()
    if "GenuineIntel" not in text:
        return set()
    lines = (line.split() for line in text.splitlines() if line.startswith("flags"))
    return set(next(lines, []))
