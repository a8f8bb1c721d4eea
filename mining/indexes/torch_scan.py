"""Exact search with PyTorch's products: the fastest on a CPU."""

from __future__ import annotations

import importlib.util
from typing import Literal

from pydantic import Field

from mining.corpus import CorpusView
from mining.indexes import INDEXES, Index
from mining.scan import scan
from mining.screens import Int8Screen, Screen, TorchFloat32Screen
from mining.search import Floats, Found, Wanted
from sdg.errors import missing_package

_FAST_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8")


@INDEXES.register("torch")
class TorchScan(Index):
    """Products in 8-bit integers or float32, then the scan; the result is exact either way.

    Attributes:
        screen: "int8" multiplies codes of one byte, on processors with VNNI or AMX four times as
            fast as "float32"; "auto" takes it where the processor has one of them.
        threads: Tiles worked on at once; 0 means as many as there are processors.
    """

    screen: Literal["auto", "int8", "float32"] = "auto"
    threads: int = Field(default=0, ge=0)

    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        """Return the best documents; see `Index.search`.

        Raises:
            BackendError: If PyTorch is not installed.
        """
        if importlib.util.find_spec("torch") is None:
            raise missing_package("torch", "cpu", "The index `torch`")
        return scan(queries, corpus, wanted, self._screen(), threads=self.threads)

    def _screen(self) -> Screen:
        if self.screen == "int8" or (self.screen == "auto" and has_fast_int8()):
            return Int8Screen()
        return TorchFloat32Screen()


def has_fast_int8() -> bool:
    """Return whether this processor multiplies 8-bit integers faster than floats."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123 - not a file of ours
            text = info.read(65_536)
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return any(flag in flags for flag in _FAST_INT8)
