"""Encoders: texts in, unit vectors out. One file each, found by discovery."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from sdg.part import Plugin
from sdg.registry import Registry

Side = Literal["query", "document"]
Floats = npt.NDArray[np.float32]


class Encoder(Plugin):
    """Turns texts into vectors whose inner product is their cosine similarity.

    `identity()` and `revision()` together name the vectors on disk: settings that change speed only
    (threads, batch size, device) are left out of `identity()`.
    """

    @abstractmethod
    def revision(self) -> str:
        """Return what pins the weights: a commit, a package version, or a hash of the files.

        Raises:
            BackendError: If the model or its package is missing.
        """

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length D of every vector."""

    @abstractmethod
    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        """Return the vectors of N texts.

        Args:
            texts: N texts, N >= 0; the empty text is allowed.
            side: Whether the texts are queries or documents; many models treat them differently.

        Returns:
            (N, D) float32 in the order of `texts`; rows have length 1, or 0 where the encoder finds
            nothing in the text.

        Raises:
            BackendError: If the model or its package is missing or fails.
        """

    def is_truncated(self, texts: Sequence[str], side: Side) -> npt.NDArray[np.bool_]:
        """Return (N,) bool: True where `encode` reads only the beginning of the text.

        The default says that nothing is ever cut.
        """
        del side
        return np.zeros(len(texts), bool)


ENCODERS: Registry[Encoder] = Registry("encoder", "mining.encoders")
