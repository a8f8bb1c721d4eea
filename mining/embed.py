"""Embedding documents into the store, and a shard of queries ready to search with.

Vectors of documents are kept for every run; those of queries lie with the shard they belong to, so
that shards can be worked on at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mining.encoders import Encoder
from mining.text_keys import write_file_keys
from mining.vectors import VectorStore, checked_vectors
from sdg.lookup import keys_of

_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What embedding did.

    Attributes:
        embedded: Texts embedded in this call.
        truncated: Texts longer than the encoder reads.
    """

    embedded: int
    truncated: int

    def to_json(self) -> dict[str, int]:
        """Return the report as JSON."""
        return {"embedded": self.embedded, "truncated": self.truncated}


@dataclass(frozen=True, slots=True)
class EmbeddedQueries:
    """Q queries and their vectors.

    Attributes:
        query_ids: Q ids.
        texts: Q texts.
        languages: Q language tags.
        source_doc_ids: Q ids of the documents they were written for.
        vectors: (Q, D) float32 unit rows.
        truncated: How many queries are longer than the encoder reads; counted when they were
            embedded, not carried by `to_table`.
    """

    query_ids: list[str]
    texts: list[str]
    languages: list[str]
    source_doc_ids: list[str]
    vectors: npt.NDArray[np.float32]
    truncated: int = 0

    @classmethod
    def embed(cls, queries: pa.Table, encoder: Encoder) -> EmbeddedQueries:
        """Return the rows of QUERIES with their vectors."""
        texts = queries["query"].to_pylist()
        return cls(
            queries["query_id"].to_pylist(),
            texts,
            queries["query_language"].to_pylist(),
            queries["source_doc_id"].to_pylist(),
            checked_vectors(encoder, texts, "query"),
            int(encoder.is_truncated(texts, "query").sum()),
        )

    def to_table(self) -> pa.Table:
        """Return the queries with their vectors, to be kept beside what was found with them."""
        flat = pa.array(self.vectors.reshape(-1), pa.float32())
        size = self.vectors.shape[1] if self.query_ids else 1
        return pa.table(
            {
                "query_id": pa.array(self.query_ids, pa.string()),
                "query": pa.array(self.texts, pa.string()),
                "query_language": pa.array(self.languages, pa.string()),
                "source_doc_id": pa.array(self.source_doc_ids, pa.string()),
                "vector": pa.FixedSizeListArray.from_arrays(flat, size),
            }
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> EmbeddedQueries:
        """Return the queries that `to_table` wrote."""
        vectors = table["vector"].combine_chunks()
        flat = np.asarray(vectors.flatten(), dtype=np.float32)
        return cls(
            table["query_id"].to_pylist(),
            table["query"].to_pylist(),
            table["query_language"].to_pylist(),
            table["source_doc_id"].to_pylist(),
            flat.reshape(len(table), -1) if len(table) else flat.reshape(0, 1),
        )


def embed_documents(
    store: VectorStore,
    paths: Sequence[Path],
    on_progress: Callable[[int], None] | None = None,
) -> EmbedReport:
    """Embed every document of the Parquet files that has no vector yet.

    Args:
        store: For the side "document".
        paths: DOCUMENTS files, read in batches.
        on_progress: Called with the number of documents seen since the last call.
    """
    truncated = 0

    def batches() -> Iterator[list[str]]:
        nonlocal truncated
        for path in paths:
            keys = [np.empty((0, 2), np.uint64)]
            for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS, columns=["text"]):
                texts = batch["text"].to_pylist()
                keys.append(keys_of(texts))
                truncated += int(store.encoder.is_truncated(texts, store.side).sum())
                yield texts
                if on_progress is not None:
                    on_progress(len(texts))
            # Whoever opens the corpus finds the vectors by these, without reading a text.
            write_file_keys(store.root, path, np.concatenate(keys))

    return EmbedReport(store.ensure(batches()), truncated)
