"""The machine's matrix-product ceiling: no exact search by products can be faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import Work, measure

# Queries x documents in one product: large enough for the best rate, small enough for a cache.
_QUERIES, _DOCUMENTS = 1024, 1024


def ceilings(dimension: int, *, seconds: float = 2.0, threads: int = 1) -> dict[str, float]:
    """Return operations per second (a multiplication and an addition are two) by kind of product.

    Args:
        dimension: D.
        seconds: Spent on each kind.
        threads: As the contenders get.
    """
    arguments = {"dimension": dimension, "seconds": seconds}
    value = measure("benchmarks.ceiling:contender", arguments, threads=threads).value
    return {name: float(rate) for name, rate in value.items()}


def contender(dimension: int, seconds: float) -> Work:
    """Return the work of multiplying in every arithmetic for a while."""
    import torch

    random = np.random.default_rng(0)
    queries = random.standard_normal((_QUERIES, dimension), np.float32)
    documents = random.standard_normal((_DOCUMENTS, dimension), np.float32)
    left, right = torch.from_numpy(queries), torch.from_numpy(documents)
    small_left, small_right = (rows.clamp(-1, 1).mul(127).to(torch.int8) for rows in (left, right))
    half_left, half_right = left.to(torch.bfloat16), right.to(torch.bfloat16)
    # Into the same memory every time: fresh memory costs as much as a small product.
    shape = _QUERIES, _DOCUMENTS
    room, floats = np.empty(shape, np.float32), torch.empty(shape)
    halves, whole = torch.empty(shape, dtype=torch.bfloat16), torch.empty(shape, dtype=torch.int32)
    products: dict[str, Callable[[], Any]] = {
        "float32, numpy": lambda: np.matmul(queries, documents.T, out=room),
        "float32, torch": lambda: torch.mm(left, right.T, out=floats),
        "bfloat16, torch": lambda: torch.mm(half_left, half_right.T, out=halves),
        "int8, torch": lambda: torch._int_mm(small_left, small_right.T, out=whole),
    }

    def work() -> dict[str, Any]:
        operations = 2.0 * _QUERIES * _DOCUMENTS * dimension
        return {name: operations * _rate(product, seconds) for name, product in products.items()}

    return work


def _rate(product: Callable[[], Any], seconds: float) -> float:
    """Return the best rate of a few calls, per second: others may be using the machine."""
    product()
    best = 0.0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        product()
        best = max(best, 1 / (time.perf_counter() - began))
    return best
