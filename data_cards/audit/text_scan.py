"""One pass over texts, in blocks, on a few threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.audit.audited_set import Texts
from data_cards.audit.metric import AuditContext

T = TypeVar("T")

_BLOCK_TEXTS = 16_384
_MOST_THREADS = 8


def scan_texts(
    texts: Texts, look: Callable[[int, pl.Series], T], context: AuditContext
) -> Iterator[T]:
    """Yield what `look` returns for each block, in the order of the texts.

    Polars lets go of the interpreter, so blocks are looked at side by side; memory holds as many
    blocks as there are threads.

    Args:
        texts: All different texts.
        look: Called with the place of the block's first text, and the block; must not keep state.
        context: Whose `report` is told how far it is.
    """
    yield from _looked(texts.blocks(_BLOCK_TEXTS), look, len(texts), context)


def scan_some(
    texts: Texts,
    places: npt.NDArray[np.int64],
    look: Callable[[int, pl.Series], T],
    context: AuditContext,
) -> Iterator[T]:
    """Yield what `look` returns for each block of the texts at `places`, as `scan_texts` does.

    Args:
        texts: All different texts.
        places: (T,) which of them.
        look: Called with the number of texts before the block, and the block.
        context: Whose `report` is told how far it is.
    """
    blocks = (
        (first, pl.Series(texts.take(places[first : first + _BLOCK_TEXTS]), dtype=pl.String))
        for first in range(0, len(places), _BLOCK_TEXTS)
    )
    yield from _looked(blocks, look, len(places), context)


def _looked(
    blocks: Iterator[tuple[int, pl.Series]],
    look: Callable[[int, pl.Series], T],
    total: int,
    context: AuditContext,
) -> Iterator[T]:
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    waiting: deque[tuple[int, Future[T]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for first, block in blocks:
            waiting.append((first + len(block), pool.submit(look, first, block)))
            if len(waiting) > threads:
                yield _next(waiting, total, context)
        while waiting:
            yield _next(waiting, total, context)


def _next(waiting: deque[tuple[int, Future[T]]], total: int, context: AuditContext) -> T:
    done, future = waiting.popleft()
    result = future.result()
    context.report(done, total)
    return result
