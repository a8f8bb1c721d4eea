"""An encoder without a model: hashed character n-grams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mining.encoders import ENCODERS, Encoder, Floats, Side
from sdg.ids import comparison_key

# Odd 64-bit constants (Knuth's multiplicative hashing; splitmix64's finaliser).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


@ENCODERS.register("hashing")
class Hashing(Encoder):
    """Deterministic bag of character n-grams, for tests and for trying a configuration out.

    Texts that share spelling are close; meaning is not seen. Works for every script, loads nothing,
    cuts nothing. Text without any n-gram has the zero vector.

    Attributes:
        num_dimensions: D (default 256, own).
        min_length: Shortest n-gram in characters (own).
        max_length: Longest n-gram in characters (own).
    """

    num_dimensions: int = Field(default=256, ge=8, le=65536)
    min_length: int = Field(default=3, ge=1, le=16)
    max_length: int = Field(default=4, ge=1, le=16)

    def revision(self) -> str:
        """Return a constant: there are no weights."""
        return "1"

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self.num_dimensions

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        """Return (N, D) unit vectors; `side` makes no difference."""
        del side
        vectors = np.zeros((len(texts), self.num_dimensions), np.float32)
        for row, text in enumerate(texts):
            hashes = self._hashes(text)
            # Bit 63 is the sign, so that unrelated n-grams that collide cancel on average.
            sign = 1.0 - 2.0 * (hashes >> np.uint64(63)).astype(np.float64)
            column = (hashes % np.uint64(self.num_dimensions)).astype(np.int64)
            counts = np.bincount(column, sign, minlength=self.num_dimensions)
            length = np.sqrt(counts @ counts)
            if length > 0:
                vectors[row] = counts / length
        return vectors

    def _hashes(self, text: str) -> npt.NDArray[np.uint64]:
        padded = f" {comparison_key(text)} "
        characters = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), "<u4")
        codes = characters.astype(np.uint64)
        found = [np.zeros(0, np.uint64)]
        for length in range(self.min_length, self.max_length + 1):
            if len(codes) < length or not text.strip():
                continue
            value = np.zeros(len(codes) - length + 1, np.uint64)
            for offset in range(length):
                value = (value + codes[offset : offset + len(value)]) * _STEP
                value ^= value >> np.uint64(29)
            value *= _MIX
            found.append(value ^ (value >> np.uint64(32)))
        return np.concatenate(found)
