"""Exact search in one pass: blocks of the corpus against all queries, the bound inside it.

    for each block of documents (read once, prepared once by the screen)
        for each tile of it x each chunk of queries (one thread each)
            product ─► scan_tile: count what is above, keep the best k inside the bounds

Memory: one block of documents, one tile of products for each thread, and k entries for each query;
nothing grows with the corpus. The bound is applied while scanning, so k is what is needed and not
a window that may be empty after the bound. Long lists start from a bound that is guessed (`guess`):
a first pass over a sample, then the pass over all, and one more for lists that are not full.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mining import guess, kernels
from mining.corpus import CorpusView
from mining.corpus_part import CorpusPart
from mining.deep_scan import scan_deep
from mining.screens import FusedScreen, Screen, Screened
from mining.search import Floats, Found, Rows, Wanted, check_wanted
from sdg.errors import DataError

# A tile of products, 4 MiB: wide enough that packing documents for the product costs little. With
# 16 MiB it is faster in an idle machine, and slower by up to a fifth where others need the cache.
_TILE_QUERIES = 1024
_TILE_DOCUMENTS = 1024
# Each thread's own.
_MEMORY = local()
# Products of longer vectors may overflow.
_MAX_LENGTH = 1e15
# Lists longer than this are sorted once instead of kept in order.
_MAX_LIST = 1024


class _State(NamedTuple):
    """The best k of every query so far; arrays as in `kernels.scan_tile`."""

    scores: Floats
    rows: Rows
    orders: Rows
    sizes: Rows
    above_upper: Rows
    above_rank: Rows

    @classmethod
    def empty(cls, num_queries: int, k: int) -> _State:
        return cls(
            np.full((num_queries, k), np.nan, np.float32),
            np.full((num_queries, k), -1, np.int64),
            np.zeros((num_queries, k), np.int64),
            np.zeros(num_queries, np.int64),
            np.zeros(num_queries, np.int64),
            np.zeros(num_queries, np.int64),
        )

    def part(self, chunk: slice) -> _State:
        """Return some queries' part of the same arrays."""
        return _State(
            self.scores[chunk],
            self.rows[chunk],
            self.orders[chunk],
            self.sizes[chunk],
            self.above_upper[chunk],
            self.above_rank[chunk],
        )


def scan(
    queries: Floats, corpus: CorpusView, wanted: Wanted, screen: Screen, *, threads: int = 1
) -> Found:
    """Return the best documents inside the bounds, exactly.

    Args:
        queries: (Q, D) float32.
        corpus: N documents.
        wanted: What each query asks for.
        screen: Multiplies; decides speed only.
        threads: Tiles worked on at once; 0 means as many as there are processors.

    Raises:
        ContractError: If a query's vector or bound is not a number.
        DataError: If a document's vector is not finite.
    """
    check_wanted(queries, wanted)
    # Not read-only: compiled code is made for each kind of array, and one kind is enough.
    queries = np.require(queries, np.float32, ["C", "W"])
    if wanted.k > _MAX_LIST:
        return scan_deep(queries, corpus, wanted)
    threads = threads or _processors()
    rows = guess.sample(len(corpus), wanted.k)
    if not len(rows):
        return _one_pass(queries, corpus, wanted, screen, threads)
    sampled = wanted._replace(k=guess.rank(wanted.k, len(rows) / len(corpus)))
    guessed = _one_pass(queries, CorpusPart(corpus, rows), sampled, screen, threads).scores[:, -1]
    # NaN, where the sample has too few inside the bounds, gives way.
    raised = wanted._replace(lower=np.fmax(wanted.lower, guessed))
    found = _one_pass(queries, corpus, raised, screen, threads)
    again = np.flatnonzero((found.rows[:, -1] < 0) & (guessed > wanted.lower))
    if len(again):
        # Only lists: what is counted does not depend on the lower bound.
        rest = _one_pass(queries[again], corpus, wanted.part(again), screen, threads)
        found.rows[again], found.scores[again] = rest.rows, rest.scores
    return found


def _one_pass(
    queries: Floats, corpus: CorpusView, wanted: Wanted, screen: Screen, threads: int
) -> Found:
    state = _State.empty(len(queries), wanted.k)
    prepared = screen.prepare(queries)
    scan_block = _by_words if isinstance(screen, FusedScreen) else _by_products
    chunks = [
        slice(start, min(start + _TILE_QUERIES, len(queries)))
        for start in range(0, len(queries), _TILE_QUERIES)
    ]
    with _workers(min(threads, len(chunks))) as workers:
        for first, block in corpus.blocks():
            documents = np.require(block, np.float32, ["C", "W"])
            ready = screen.prepare_documents(documents)
            _check_finite(ready, first, corpus)
            order = corpus.id_order[first : first + len(documents)]

            def work(
                chunk: slice,
                first: int = first,
                documents: Floats = documents,
                ready: Screened = ready,
                order: Rows = order,
            ) -> None:
                piece = (queries[chunk], prepared.part(chunk), wanted.part(chunk))
                scan_block(piece, (first, documents, ready, order), screen, state.part(chunk))

            # Consumed, so that an error in a thread is raised here.
            list(workers.map(work, chunks))
    return Found(state.rows, state.scores, state.above_upper, state.above_rank)


def _by_products(
    piece: tuple[Floats, Screened, Wanted],
    block: tuple[int, Floats, Screened, Rows],
    screen: Screen,
    state: _State,
) -> None:
    queries, prepared, wanted = piece
    first, documents, ready, order = block
    room = _room(screen)
    # Once for the block: for each tile, it would cost a twentieth of the product.
    slack = screen.slack(prepared, ready)
    for start in range(0, len(documents), _TILE_DOCUMENTS):
        tile = slice(start, start + _TILE_DOCUMENTS)
        part = ready.part(tile)
        # A part of the same memory every time: fresh memory costs as much as the product.
        size = len(queries), len(part.step)
        products = room[: size[0] * size[1]].reshape(size)
        screen.multiply(prepared, part, products)
        kernels.scan_tile(
            products,
            prepared.step,
            part.step,
            slack,
            queries,
            documents[tile],
            first + start,
            order[tile],
            *wanted[1:],
            state.scores,
            state.rows,
            state.orders,
            state.sizes,
            state.above_upper,
            state.above_rank,
        )


def _by_words(
    piece: tuple[Floats, Screened, Wanted],
    block: tuple[int, Floats, Screened, Rows],
    screen: Screen,
    state: _State,
) -> None:
    """Do as `_by_products` does, with one bit in place of each product."""
    queries, prepared, wanted = piece
    first, documents, ready, order = block
    slack = screen.slack(prepared, ready)
    codes, starts = _grouped(prepared)
    steps = np.full(len(ready.panels) * kernels.PANEL, np.nan, np.float32)
    steps[: len(documents)] = ready.step
    is_bounded = bool((np.minimum(wanted.upper, wanted.rank_scores) < np.inf).any())
    num_bounds = 4 if is_bounded else 1
    # Queries that fill up the last group reach nothing.
    bounds = np.full((num_bounds, len(codes)), np.inf, np.float32)
    start = 0
    while start < len(documents):
        # No more than were seen before: bounds may rise in between, and start very low.
        size = min(_TILE_DOCUMENTS, max(kernels.PANEL, first + start))
        size -= size % kernels.PANEL
        tile = slice(start, start + size)
        panels = ready.panels[start // kernels.PANEL : (start + size) // kernels.PANEL]
        words = np.empty((num_bounds, len(panels), len(codes)), np.uint64)
        kernels.write_bounds(prepared.step, slack, *wanted[1:], state.scores, state.sizes, bounds)
        kernels.mark(panels, steps[tile], codes, starts, bounds, words)
        kernels.take_marked(
            words,
            queries,
            documents[tile],
            first + start,
            order[tile],
            *wanted[1:],
            state.scores,
            state.rows,
            state.orders,
            state.sizes,
            state.above_upper,
            state.above_rank,
        )
        start += size


def _grouped(queries: Screened) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Return codes, filled up with zeros to whole groups, and where their sums start."""
    rows = -(-len(queries.values) // kernels.GROUP) * kernels.GROUP
    codes = np.zeros((rows, queries.values.shape[1]), np.int8)
    starts = np.zeros(rows, np.int32)
    kernels.group(queries.values, codes, starts)
    return codes, starts


def _room(screen: Screen) -> npt.NDArray[Any]:
    """Return this thread's memory for a tile of products."""
    room: npt.NDArray[Any] | None = getattr(_MEMORY, screen.dtype.__name__, None)
    if room is None:
        room = np.empty(_TILE_QUERIES * _TILE_DOCUMENTS, screen.dtype)
        setattr(_MEMORY, screen.dtype.__name__, room)
    return room


def _check_finite(documents: Screened, first: int, corpus: CorpusView) -> None:
    # A length is not finite if a value is not.
    is_bad = ~(documents.length <= _MAX_LENGTH)
    if is_bad.any():
        row = first + int(np.flatnonzero(is_bad)[0])
        raise DataError(
            f"Vectors must be finite, but that of document {corpus.ids_of(np.array([row]))[0]!r} "
            "holds NaN, infinity or huge numbers instead. Remove the document, or embed it again."
        )


def _processors() -> int:
    # Those this process may use, where the system tells.
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


@contextmanager
def _workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield threads in which a product uses one thread, so that not each starts a team."""
    with ThreadPoolExecutor(max(1, count), initializer=_one_thread_each) as pool:
        yield pool


def _one_thread_each() -> None:
    from threadpoolctl import threadpool_limits

    # OpenMP keeps this setting for each thread; other threads of the process keep theirs.
    threadpool_limits(limits=1, user_api="openmp")
