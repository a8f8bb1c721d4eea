"""Products of queries and documents that are near enough to say which pairs need an exact score.

Exact scores of all pairs are dear. A screen multiplies in whatever arithmetic is fast and states
how far off it can be; the scan then scores exactly what that leaves open, so the screen decides
the speed and never the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mining import kernels

Floats = npt.NDArray[np.float32]


_NO_PANELS = np.empty((0, 0, 0), np.int32)


class Screened(NamedTuple):
    """Vectors as a screen multiplies them.

    Attributes:
        values: (N, D) in the screen's own type.
        step: (N,) float32; what a value of 1 stands for.
        lost: Length of what was lost of each row, (N,) float64.
        length: Length of each row, (N,) float64.
        panels: Documents of a `FusedScreen` once more, as it reads them; else empty.
    """

    values: npt.NDArray[Any]
    step: Floats
    lost: npt.NDArray[np.float64]
    length: npt.NDArray[np.float64]
    panels: npt.NDArray[np.int32] = _NO_PANELS

    def part(self, rows: slice) -> Screened:
        """Return some of the rows, without panels."""
        return Screened(self.values[rows], self.step[rows], self.lost[rows], self.length[rows])


class Screen(Protocol):
    """Multiplies.

    Attributes:
        dtype: Of the products: float32 or int32.
    """

    dtype: type[np.generic]

    def prepare(self, vectors: Floats) -> Screened:
        """Return (N, D) float32 vectors in the screen's type."""

    def prepare_documents(self, vectors: Floats) -> Screened:
        """Return a block of documents, which all queries are going to be multiplied with."""

    def multiply(self, queries: Screened, documents: Screened, out: npt.NDArray[Any]) -> None:
        """Write the (Q, B) products of the values into `out`, of type `dtype`."""

    def slack(self, queries: Screened, documents: Screened) -> Floats:
        """Return (Q,) how far `product * step * step` may be from the exact score."""


class Float32Screen:
    """A float32 product, by numpy."""

    dtype: type[np.generic] = np.float32

    def prepare(self, vectors: Floats) -> Screened:
        """Return the vectors as they are."""
        # PyTorch takes no view of a read-only file.
        vectors = np.require(vectors, np.float32, ["C", "W"])
        lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
        ones = np.ones(len(vectors), np.float32)
        return Screened(vectors, ones, np.zeros(len(vectors)), lengths)

    def prepare_documents(self, vectors: Floats) -> Screened:
        """Return the vectors as they are."""
        return self.prepare(vectors)

    def multiply(self, queries: Screened, documents: Screened, out: npt.NDArray[Any]) -> None:
        """Write the products."""
        np.matmul(queries.values, documents.values.T, out=out)

    def slack(self, queries: Screened, documents: Screened) -> Floats:
        """Return the bound for float32 sums."""
        return rounding_slack(queries, documents, queries.values.shape[1])


class TorchFloat32Screen(Float32Screen):
    """A float32 product, by PyTorch."""

    def multiply(self, queries: Screened, documents: Screened, out: npt.NDArray[Any]) -> None:
        """Write the products."""
        import torch

        left, right = torch.from_numpy(queries.values), torch.from_numpy(documents.values)
        torch.mm(left, right.T, out=torch.from_numpy(out))


class Int8Screen:
    """An 8-bit integer product: four times float32's speed on processors with VNNI or AMX.

    With q = q' + e and d = d' + f, where q' and d' are what the codes stand for, the product is
    off by q'f + ed, so by at most |q'||f| + |e||d|. No statistics: the bound always holds.
    """

    dtype: type[np.generic] = np.int32

    def prepare(self, vectors: Floats) -> Screened:
        """Return 8-bit codes with a step for each row."""
        count = len(vectors)
        codes = np.empty(vectors.shape, np.int8)
        step = np.empty(count, np.float32)
        lost, length = np.empty(count), np.empty(count)
        kernels.quantise(np.ascontiguousarray(vectors), codes, step, lost, length)
        if vectors.shape[-1] == 1:
            # `torch._int_mm` gives wrong products for one column (PyTorch 2.13); zeros add nothing.
            codes = np.pad(codes, ((0, 0), (0, 1)))
        return Screened(codes, step, lost, length)

    def prepare_documents(self, vectors: Floats) -> Screened:
        """Return 8-bit codes with a step for each row."""
        return self.prepare(vectors)

    def multiply(self, queries: Screened, documents: Screened, out: npt.NDArray[Any]) -> None:
        """Write the products, exact int32."""
        import torch

        left, right = torch.from_numpy(queries.values), torch.from_numpy(documents.values)
        torch._int_mm(left, right.T, out=torch.from_numpy(out))

    def slack(self, queries: Screened, documents: Screened) -> Floats:
        """Return the bound over all documents of the block."""
        longest, worst = documents.length.max(initial=0.0), documents.lost.max(initial=0.0)
        rounded = (queries.length + queries.lost) * worst + queries.lost * longest
        # The scan turns codes into scores with a few float32 operations.
        return _upwards(rounded + 2.0**-20 * queries.length * longest)


class FusedScreen(Int8Screen):
    """The 8-bit product of our own, which is compared with the bounds before it is written.

    As fast as the product alone is by a library, and no second pass over 4 bytes for each pair.
    Needs `kernels.has_vnni`.
    """

    def prepare(self, vectors: Floats) -> Screened:
        """Return 8-bit codes with a step for each row, filled up with zeros to fours."""
        ready = super().prepare(vectors)
        missing = -ready.values.shape[1] % 4 if ready.values.shape[1] else 4
        return ready._replace(values=np.pad(ready.values, ((0, 0), (0, missing))))

    def prepare_documents(self, vectors: Floats) -> Screened:
        """Return codes and panels of them."""
        ready = self.prepare(vectors)
        return ready._replace(panels=kernels.pack(ready.values))


def rounding_slack(queries: Screened, documents: Screened, dimension: int) -> Floats:
    """Return (Q,) how far float32 sums of D products, in any order, may be from exact scores."""
    longest = documents.length.max(initial=0.0)
    # D rounding errors, twice over.
    return _upwards(2.0 * (dimension + 2) * 2.0**-24 * queries.length * longest)


def _upwards(values: npt.NDArray[np.float64]) -> Floats:
    # What a product loses where floats have few digits, or none.
    values = values + 1e-36
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))
