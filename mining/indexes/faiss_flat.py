"""FAISS flat inner-product search, on the CPU or on GPUs, with bounds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import numpy as np

from mining.corpus import CorpusView
from mining.cpu_scans import add_cpu_scans
from mining.indexes import INDEXES, Index
from mining.indexes.faiss_library import load_faiss
from mining.scan import scan
from mining.screens import Float32Screen
from mining.search import Floats, Found, Rows, Wanted, check_wanted, pair_scores
from sdg.errors import BackendError

# More than asked for at first, so that rounding seldom leaves the last place open.
_GUARD = 16
_DEEPER = 4
# FAISS's own limit on a GPU; on the CPU, where a scan is the better way.
_MAX_DEPTH = 2048
# Pairs proposed for all queries together: 48 MiB of rows and scores.
_MAX_PROPOSED = 2**22
# A GPU is given at most 256 MiB at once (facebookresearch/faiss#4502).
_GPU_BYTES = 256 * 2**20


class _Proposed(NamedTuple):
    """The documents that score highest by FAISS's own arithmetic, in no order."""

    rows: Rows
    scores: Floats


@INDEXES.register("faiss_flat")
class FaissFlat(Index):
    """Exact search by FAISS.

    FAISS finds the top of a list, and knows no bound: it is asked for more until enough documents
    inside the bounds are among its proposals, which are then scored exactly. Queries that would
    need more than 2,048 proposals are scanned instead, on the CPU whatever the device; where that
    is "gpu", they are counted (`mining.cpu_scans`).

    Attributes:
        device: "cpu", or "gpu": asked for and not there is an error, never a fallback. Written
            against the documented API; not yet run on a GPU.
        dtype: Of the vectors on a GPU; "float16" halves what is sent and doubles the speed, and the
            result is exact all the same.
    """

    device: Literal["cpu", "gpu"] = "cpu"
    dtype: Literal["float32", "float16"] = "float16"

    def check(self) -> None:
        """Check that FAISS finds a GPU, if one is asked for.

        Raises:
            BackendError: If it does not, or is not installed.
        """
        if self.device == "gpu":
            _num_gpus(load_faiss())

    def search(self, queries: Floats, corpus: CorpusView, wanted: Wanted) -> Found:
        """Return the best documents; see `Index.search`.

        Raises:
            BackendError: If faiss is not installed, there is no GPU, or FAISS returns padding.
        """
        check_wanted(queries, wanted)
        queries = np.ascontiguousarray(queries, np.float32)
        found = Found.nothing(len(queries), wanted.k)
        waiting = np.arange(len(queries))
        depth = min(wanted.k + _GUARD, len(corpus))
        while len(waiting) and 0 < depth <= _MAX_DEPTH:
            open_still: list[Rows] = []
            step = max(1, _MAX_PROPOSED // depth)
            for start in range(0, len(waiting), step):
                places = waiting[start : start + step]
                proposed = self._propose(queries[places], corpus, depth)
                piece, is_open = self._settle(
                    queries[places], corpus, wanted.part(places), proposed
                )
                _put(found, places, piece)
                open_still.append(places[is_open])
            waiting = np.concatenate(open_still)
            if depth == len(corpus):
                break
            depth = min(depth * _DEEPER, len(corpus))
        if len(waiting) and len(corpus):
            if self.device == "gpu":
                add_cpu_scans(len(waiting))
            rest = scan(queries[waiting], corpus, wanted.part(waiting), Float32Screen())
            _put(found, waiting, rest)
        return found

    def _settle(
        self, queries: Floats, corpus: CorpusView, wanted: Wanted, proposed: _Proposed
    ) -> tuple[Found, Any]:
        """Score proposals exactly; also return where a document left out could still matter."""
        depth = proposed.rows.shape[1]
        error = self._max_error(queries)
        scores, low = self._exact_where_it_matters(queries, corpus, wanted, proposed, error)
        inside = (scores <= wanted.upper[:, None]) & (scores >= wanted.lower[:, None])
        # What was not scored exactly is not in the list, and is no nearer than that.
        inside &= scores >= low[:, None]
        order = np.lexsort((corpus.id_order[proposed.rows], -scores, ~inside), axis=1)
        order = order[:, : wanted.k]
        is_padding = ~np.take_along_axis(inside, order, 1)
        rows = np.where(is_padding, -1, np.take_along_axis(proposed.rows, order, 1))
        best = np.where(is_padding, np.nan, np.take_along_axis(scores, order, 1)).astype(np.float32)
        missing = wanted.k - rows.shape[1]
        if missing > 0:
            rows = np.pad(rows, ((0, 0), (0, missing)), constant_values=-1)
            best = np.pad(best, ((0, 0), (0, missing)), constant_values=np.nan)
        found = Found(
            rows,
            best,
            (scores > wanted.upper[:, None]).sum(axis=1),
            (scores > wanted.rank_scores[:, None]).sum(axis=1),
        )
        # Nothing that was left out, here or by FAISS, scores more than this.
        left_out = low
        if depth < len(corpus):
            left_out = np.maximum(low, proposed.scores.min(axis=1) + error)
        is_full = ~(best[:, -1] <= left_out) & (rows[:, -1] >= 0)
        is_settled = is_full | (wanted.lower > left_out)
        if depth < len(corpus):
            is_settled &= (wanted.upper >= left_out) & (wanted.rank_scores >= left_out)
        return found, ~(is_settled | np.isneginf(left_out))

    def _exact_where_it_matters(
        self,
        queries: Floats,
        corpus: CorpusView,
        wanted: Wanted,
        proposed: _Proposed,
        error: Floats,
    ) -> tuple[Floats, Floats]:
        """Return (Q, depth) scores, and the (Q,) score that nothing left unscored exceeds.

        Exact are those that may be in the list, or on either side of a bound.
        """
        scores = proposed.scores.copy()
        near_upper = np.abs(scores - wanted.upper[:, None]) <= error[:, None]
        near_rank = np.abs(scores - wanted.rank_scores[:, None]) <= error[:, None]
        below = np.where(scores <= (wanted.upper + error)[:, None], scores, -np.inf)
        window = min(wanted.k + _GUARD, below.shape[1])
        last = np.partition(below, below.shape[1] - window, axis=1)[:, below.shape[1] - window]
        matters = near_upper | near_rank | (np.isfinite(below) & (below >= last[:, None]))
        places, numbers = np.nonzero(matters)
        rows = proposed.rows[places, numbers]
        scores[places, numbers] = pair_scores(queries, corpus, places, rows)
        is_left_out = np.isfinite(below) & ~matters
        left_out = np.where(is_left_out, below, -np.inf).max(axis=1, initial=-np.inf)
        return scores, left_out + error

    def _max_error(self, queries: Floats) -> Floats:
        """Return (Q,) how far FAISS's scores may be from exact ones, for documents of length 1."""
        dimension = queries.shape[1]
        error = 2.0 * (dimension + 2) * 2.0**-24
        if self.device == "gpu":
            # Both sides may be rounded to 11 bits: float16, or TF32 in products of float32.
            error += 2.0 * 2.0**-11
        lengths = np.sqrt(np.einsum("qd,qd->q", queries, queries, dtype=np.float64))
        return np.nextafter((error * lengths).astype(np.float32), np.float32(np.inf))

    def _propose(self, queries: Floats, corpus: CorpusView, depth: int) -> _Proposed:
        rows = np.empty((len(queries), 0), np.int64)
        scores = np.empty((len(queries), 0), np.float32)
        for found in self._blocks(queries, corpus, depth):
            rows = np.concatenate([rows, found.rows], axis=1)
            scores = np.concatenate([scores, found.scores], axis=1)
            surplus = rows.shape[1] - depth
            if surplus > 0:
                best = np.argpartition(scores, surplus, axis=1)[:, surplus:]
                rows = np.take_along_axis(rows, best, axis=1)
                scores = np.take_along_axis(scores, best, axis=1)
        return _Proposed(rows, scores)

    def _blocks(self, queries: Floats, corpus: CorpusView, depth: int) -> Iterator[_Proposed]:
        faiss = load_faiss()
        if self.device == "gpu":
            yield from _on_gpus(faiss, queries, corpus, depth, np.dtype(self.dtype))
            return
        for first, block in corpus.blocks():
            k = min(depth, len(block))
            documents = np.ascontiguousarray(block, np.float32)
            found = faiss.knn(queries, documents, k, metric=faiss.METRIC_INNER_PRODUCT)
            yield _checked(found[1] + first, found[0])


def _num_gpus(faiss: Any) -> int:  # noqa: ANN401 - faiss has no types
    count = int(getattr(faiss, "get_num_gpus", lambda: 0)())
    if not count:
        raise BackendError(
            "`index.device` gpu must find a GPU and a FAISS built for it, but FAISS sees "
            f"{count} GPUs. Install the extra `gpu` on a machine with one, or set device: cpu."
        )
    return count


def _on_gpus(
    faiss: Any,  # noqa: ANN401 - faiss has no types
    queries: Floats,
    corpus: CorpusView,
    depth: int,
    dtype: np.dtype[Any],
) -> Iterator[_Proposed]:
    """Yield what each slice of the corpus gives; slices go round all GPUs, one thread each."""
    count = _num_gpus(faiss)
    resources = [faiss.StandardGpuResources() for _ in range(count)]
    asked = queries.astype(dtype)

    def find(gpu: int, first: int, piece: Floats) -> _Proposed:
        scores, rows = faiss.knn_gpu(
            resources[gpu],
            asked,
            piece,
            min(depth, len(piece)),
            metric=faiss.METRIC_INNER_PRODUCT,
            device=gpu,
        )
        return _checked(rows + first, scores)

    with ThreadPoolExecutor(count) as pool:
        waiting: list[Future[_Proposed]] = []
        for first, piece in _slices(corpus, dtype):
            gpu = len(waiting) % count
            waiting.append(pool.submit(find, gpu, first, piece))
            if len(waiting) == count:
                yield from (one.result() for one in waiting)
                waiting = []
        yield from (one.result() for one in waiting)


def _slices(corpus: CorpusView, dtype: np.dtype[Any]) -> Iterator[tuple[int, Floats]]:
    """Yield (first row, vectors) of at most 256 MiB, whatever the blocks of the corpus."""
    start, parts, size = 0, list[Floats](), 0
    for first, block in corpus.blocks():
        piece = block.astype(dtype)
        if parts and size + piece.nbytes > _GPU_BYTES:
            yield start, np.concatenate(parts)
            start, parts, size = first, [], 0
        parts.append(piece)
        size += piece.nbytes
    if parts:
        yield start, np.concatenate(parts)


def _checked(rows: Rows, scores: Floats) -> _Proposed:
    if (rows < 0).any() or not np.isfinite(scores).all():
        raise BackendError(
            "FAISS must find k rows in a block of at least k, but returned padding instead. "
            "Check the vectors for NaN."
        )
    return _Proposed(np.asarray(rows, np.int64), np.asarray(scores, np.float32))


def _put(found: Found, places: Rows, piece: Found) -> None:
    found.rows[places] = piece.rows
    found.scores[places] = piece.scores
    found.above_upper[places] = piece.above_upper
    found.above_rank[places] = piece.above_rank
