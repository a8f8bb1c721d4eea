"""Exact search with PyTorch's products: the fastest on a CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from mining import kernels
from mining.corpus import CorpusView
from mining.indexes import INDEXES, Index
from mining.scan import scan
from mining.screens import FusedScreen, Int8Screen, Screen, TorchFloat32Screen
from mining.search import Floats, Found, Wanted
from sdg.errors import BackendError, missing_package

_FAST_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8")


@INDEXES.register("torch")
class TorchScan(Index):
    """Products in 8-bit integers or float32, then the scan; the result is exact either way.

    Attributes:
        screen: "int8" multiplies codes of one byte, on processors with VNNI or AMX four times as
            fast as "float32"; "fused" is our own product of them for AVX-512 VNNI, which leaves
            out a pass over its result. "auto" takes "fused" where it can be compiled and there is
            no AMX, which PyTorch uses and it does not; else "int8" where that is fast.
        threads: Tiles worked on at once; 0 means as many as there are processors.
    """

    screen: Literal["auto", "fused", "int8", "float32"] = "auto"
    threads: int = Field(default=0, ge=0)

    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        """Return the best documents; see `Index.search`.

        Raises:
            BackendError: If PyTorch is not installed, or `screen` is "fused" on a processor that
                cannot.
        """
        if importlib.util.find_spec("torch") is None:
            raise missing_package("torch", "cpu", "The index `torch`")
        if self.screen == "fused" and not kernels.has_vnni():
            raise BackendError(
                "`index.screen` fused must run on a processor with AVX-512 VNNI, but this one has "
                'none, or `NUMBA_CPU_FEATURES` hides it, instead. Take "auto".'
            )
        screen = _SCREENS[self.taken_screen()]()
        return scan(queries, corpus, wanted, screen, threads=self.threads)

    def taken_screen(self) -> str:
        """Return the screen that this machine's searches are made with."""
        if self.screen != "auto":
            return self.screen
        flags = processor_flags()
        if kernels.has_vnni() and "amx_int8" not in flags:
            return "fused"
        return "int8" if flags.intersection(_FAST_INT8) else "float32"

    def describe(self) -> str:
        """Return the name and the screen that was taken, for the manifest and the card."""
        return f"{self.name}, screen {self.taken_screen()}"


_SCREENS: dict[str, Callable[[], Screen]] = {
    "fused": FusedScreen,
    "int8": Int8Screen,
    "float32": TorchFloat32Screen,
}


def processor_flags() -> frozenset[str]:
    """Return what this processor can do, as Linux names it; nothing where it does not tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:  # noqa: PTH123 - not a file of ours
            text = info.read(65_536)
    except OSError:
        return frozenset()
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return frozenset(flags)
