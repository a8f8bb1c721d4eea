"""Encoders: texts in, unit vectors out. One file each, found by discovery."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from sdg.errors import ConfigError
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


def prompt_of(prompts: Mapping[str, str | None], side: Side) -> str:
    """Return the prompt for `side` among those a model was saved with; "" if there is none.

    sentence-transformers documents the same names, but in 6.2 its empty entry "document" hides the
    prompts that a model calls "passage" or "corpus".
    """
    names = ("query",) if side == "query" else ("document", "passage", "corpus")
    return next((prompt for name in names if (prompt := prompts.get(name))), "")


def shorten(vectors: Floats, dimension: int | None) -> Floats:
    """Return the first numbers of every vector, at unit length again.

    Only for models trained for it (Matryoshka): of another model's nearest documents a fifth were
    lost when this was measured.

    Args:
        vectors: (N, D) float32.
        dimension: At most D; None returns `vectors`.

    Returns:
        (N, dimension) float32; a row that is zero there stays zero.

    Raises:
        ConfigError: If `dimension` is greater than D.

    Reference: Kusupati et al. 2022, Matryoshka Representation Learning, arXiv 2205.13147.
    """
    if dimension is None or dimension == vectors.shape[1]:
        return vectors
    if dimension > vectors.shape[1]:
        raise ConfigError(
            f"`truncate_dimension` must be at most the model's {vectors.shape[1]}, but is "
            f"{dimension} instead. Leave it out for whole vectors."
        )
    cut = vectors[:, :dimension].astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", cut, cut))[:, None]
    return np.divide(cut, lengths, out=np.zeros_like(cut), where=lengths > 0).astype(np.float32)


ENCODERS: Registry[Encoder] = Registry("encoder", "mining.encoders")
