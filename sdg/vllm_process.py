"""What every vLLM of a process shares: one lock, and what is set before its first import.

Two packages start vLLM, the engines of `sdg.llm` and the encoders of `mining`, and neither imports
the other.
"""

from __future__ import annotations

import importlib.metadata
import os
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

# vLLM keeps global state (its forward context), so the engines of one process take turns.
VLLM_LOCK = threading.RLock()

_QUIET: Final = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
_ON_CPU: Final = {
    # One process instead of three that import vLLM one after another: starts in 9 s, not 30 s.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Spinning threads on a busy machine cost a factor of ten.
    "OMP_WAIT_POLICY": "PASSIVE",
    "VLLM_CPU_KVCACHE_SPACE": "2",
}


def is_cpu_build() -> bool:
    """Return whether the installed vLLM is the build for machines without a GPU."""
    try:
        importlib.metadata.distribution("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def has_amx() -> bool:
    """Return whether this processor multiplies bfloat16 matrices in hardware."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def shield_loaded_libraries() -> None:
    """Let vLLM start in a process in which numba has compiled something; call it just before.

    vLLM 0.32 looks at the attributes of every object of every module for kernels to replace. The
    library object of llvmlite, which numba loads, gives a function for any name that it is asked
    for, `__dict__` too, and vLLM fails on that.
    """
    try:
        from llvmlite.binding import ffi
    except ImportError:
        return
    # Its table of names; what is in it is given as it is.
    ffi.lib._fntab.setdefault("__dict__", {})


def set_process_defaults(environment: MutableMapping[str, str]) -> None:
    """Set what vLLM reads from `environment`, where the user has not set it.

    Works only before the first import of torch in the process: call it early.
    """
    defaults = dict(_QUIET)
    if is_cpu_build():
        defaults |= _ON_CPU | {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    for name, value in defaults.items():
        environment.setdefault(name, value)
