"""Documents and queries whose vectors are picked by hand, so that every score can be seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import PrivateAttr

from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries, embed_documents
from mining.encoders import Encoder, Side
from mining.vectors import VectorStore
from sdg.schemas import DOCUMENTS, POSITIVES
from sdg.store import write_parquet


class GivenVectors(Encoder):
    """Looks each text up in a table; what is missing is a zero vector."""

    name = "given"
    width: int = 2
    _table: dict[str, Sequence[float]] = PrivateAttr(default_factory=dict)

    @property
    def dimension(self) -> int:
        return self.width

    def revision(self) -> str:
        return "by-hand"

    def encode(self, texts: Sequence[str], side: Side) -> npt.NDArray[np.float32]:
        rows = [self._table.get(text, [0.0] * self.width) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.width)


def at(degrees: float) -> list[float]:
    """Return the unit vector at an angle: two of them have the cosine of the difference."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def exact_scores(
    queries: npt.NDArray[np.float32], documents: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return (Q, N) inner products: float64 sums, rounded once."""
    return (queries.astype(np.float64) @ documents.astype(np.float64).T).astype(np.float32)


def document(doc_id: str, text: str, **changes: object) -> dict[str, object]:
    """Return a row of DOCUMENTS."""
    row: dict[str, object] = {
        "doc_id": doc_id,
        "text": text,
        "title": "",
        "language": "eng-Latn",
        "language_score": 1.0,
        "topic": "",
        "source": "test",
        "source_key": doc_id,
        "parent_id": doc_id,
        "chunk_index": 0,
        "num_chunks": 1,
        "entity_key": "",
        "group_id": doc_id,
        "natural_texts": [],
    }
    return {**row, **changes}


def corpus(
    folder: Path, rows: Sequence[dict[str, object]], vectors: Mapping[str, Sequence[float]]
) -> CorpusView:
    """Return a searchable corpus of `rows`, each text with its vector."""
    encoder = GivenVectors(width=len(next(iter(vectors.values()))))
    encoder._table.update(vectors)
    path = folder / "documents.parquet"
    write_parquet(path, pa.Table.from_pylist([dict(r) for r in rows], schema=DOCUMENTS))
    store = VectorStore(folder / "vectors", encoder, "document")
    embed_documents(store, [path])
    return CorpusView.open([path], store)


def queries(vectors: Mapping[str, Sequence[float]], sources: Sequence[str]) -> EmbeddedQueries:
    """Return queries named by their texts."""
    return EmbeddedQueries(
        query_ids=list(vectors),
        texts=[f"text of {name}" for name in vectors],
        languages=["eng-Latn"] * len(vectors),
        source_doc_ids=list(sources),
        vectors=np.array(list(vectors.values()), dtype=np.float32),
    )


def positives(ids: dict[str, list[str]]) -> pa.Table:
    """Return POSITIVES of query id -> positive ids."""
    return pa.Table.from_pylist(
        [
            {
                "query_id": query,
                "positive_ids": own,
                "original_positive_id": own[0],
                "positive_was_relabelled": False,
            }
            for query, own in ids.items()
        ],
        schema=POSITIVES,
    )
