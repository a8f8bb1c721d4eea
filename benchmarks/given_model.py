"""A model whose vectors are given: all that `mine_hard_negatives` of sentence-transformers asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class GivenModel:
    """Looks each text up in a table, so that both miners work on the same vectors.

    Scores are inner products: for unit vectors the cosine that their default computes, without
    dividing by lengths again, which is kinder to them.

    Args:
        query_texts: Q different texts.
        query_vectors: (Q, D) float32.
        document_texts: N different texts.
        document_vectors: (N, D) float32.
    """

    device = "cpu"

    def __init__(
        self,
        query_texts: Sequence[str],
        query_vectors: Floats,
        document_texts: Sequence[str],
        document_vectors: Floats,
    ) -> None:
        from sentence_transformers.util import dot_score, pairwise_dot_score

        self.similarity = dot_score
        self.similarity_pairwise = pairwise_dot_score
        self._queries = {text: row for row, text in enumerate(query_texts)}
        self._documents = {text: row for row, text in enumerate(document_texts)}
        self._query_vectors = query_vectors
        self._document_vectors = document_vectors

    def get_embedding_dimension(self) -> int:
        """Return D."""
        return int(self._document_vectors.shape[1])

    def encode_query(self, texts: Sequence[str], **_settings: Any) -> Floats:  # noqa: ANN401
        """Return (T, D) vectors of queries."""
        return self._query_vectors[[self._queries[text] for text in texts]]

    def encode_document(self, texts: Sequence[str], **_settings: Any) -> Floats:  # noqa: ANN401
        """Return (T, D) vectors of documents."""
        return self._document_vectors[[self._documents[text] for text in texts]]
