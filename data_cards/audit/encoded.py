"""Vectors of some texts of an audited set, each different text encoded once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from data_cards.audit.audited_set import AuditedSet
from mining.encoders import Encoder, Floats, Side
from mining.vectors import checked_vectors

Places = npt.NDArray[np.integer[Any]]

# Pairs scored at a time: 32 MiB of scores.
_BLOCK_PAIRS = 8_000_000


def encode_texts(data: AuditedSet, encoder: Encoder, places: Places, side: Side) -> Floats:
    """Return (N, D) float32 unit vectors of the texts at `places`, in their order.

    A text in which the encoder finds nothing has the zero vector.

    Args:
        data: Holds the texts.
        encoder: Encodes them.
        places: (N,) places in `data.texts`; may repeat.
        side: As what they are encoded.
    """
    asked, numbers = np.unique(places, return_inverse=True)
    if not len(asked):
        return np.zeros((0, encoder.dimension), np.float32)
    return checked_vectors(encoder, data.texts.take(asked).to_pylist(), side)[numbers]


def row_blocks(num_rows: int, num_columns: int) -> list[slice]:
    """Return slices of rows whose products with all columns fit into memory."""
    size = max(1, _BLOCK_PAIRS // max(1, num_columns))
    return [slice(start, start + size) for start in range(0, num_rows, size)]
