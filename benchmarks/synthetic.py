"""Clustered unit vectors in .npy, written block by block, so that neighbours exist at any size.

Topics hold clusters, clusters hold documents; a query lies near one document. For most queries that
document is the positive; for the others it is another one of the same cluster, and then more than
a hundred documents can be nearer than the positive, as for the weak pairs in real data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sdg.schemas import DOCUMENTS

Floats = npt.NDArray[np.float32]

_BLOCK_ROWS = 32_768
_TOPICS = 64
# Lengths of what is added to a unit vector: cosines in a cluster are about 1 / (1 + 0.7 ** 2).
_CENTRE_SPREAD, _DOCUMENT_SPREAD, _QUERY_SPREAD = 1.0, 0.7, 0.6
_WEAK_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Clustered:
    """What is written.

    Attributes:
        queries: Q.
        documents: N.
        dimension: D.
        seed: Of everything random.
        cluster_size: Documents per cluster, about.
    """

    queries: int
    documents: int
    dimension: int
    seed: int = 0
    cluster_size: int = 200

    @property
    def clusters(self) -> int:
        """Number of clusters; document i is in cluster i modulo that."""
        return max(1, self.documents // self.cluster_size)


def write_clustered(what: Clustered, folder: Path) -> None:
    """Write `documents.npy`, `queries.npy`, `documents.parquet` and `queries.parquet`."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_document_vectors(what, folder / "documents.npy")
    positives = _write_query_vectors(what, folder)
    write_queries([f"query {i}" for i in range(what.queries)], positives, folder)
    with pq.ParquetWriter(folder / "documents.parquet", DOCUMENTS, compression="zstd") as writer:
        for start, stop in _blocks(what.documents):
            writer.write_table(_documents(start, stop))


def write_queries(texts: list[str], positives: npt.NDArray[np.int64], folder: Path) -> None:
    """Write `queries.parquet`: the text of each query and the row of its positive."""
    table = pa.table({"query": pa.array(texts, pa.string()), "positive_row": pa.array(positives)})
    pq.write_table(table, folder / "queries.parquet")


def _write_document_vectors(what: Clustered, path: Path) -> None:
    centres = _centres(what)
    shape = (what.documents, what.dimension)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for start, stop in _blocks(what.documents):
        # Seeded by block: a block does not depend on those before it.
        random = np.random.default_rng([what.seed, 1, start])
        own = centres[np.arange(start, stop) % what.clusters]
        out[start:stop] = _near(own, _DOCUMENT_SPREAD, random)
    out.flush()


def _write_query_vectors(what: Clustered, folder: Path) -> npt.NDArray[np.int64]:
    """Write the vectors; return (Q,) rows of the positives."""
    random = np.random.default_rng([what.seed, 2])
    near = random.integers(0, what.documents, what.queries)
    is_weak = random.random(what.queries) < _WEAK_SHARE
    steps = random.integers(1, max(2, what.documents // what.clusters), what.queries)
    other = (near + steps * what.clusters) % (what.clusters * (what.documents // what.clusters))
    documents = np.load(folder / "documents.npy", mmap_mode="r", allow_pickle=False)
    vectors = np.empty((what.queries, what.dimension), np.float32)
    for start, stop in _blocks(what.queries):
        vectors[start:stop] = _near(documents[near[start:stop]], _QUERY_SPREAD, random)
    np.save(folder / "queries.npy", vectors)
    return np.where(is_weak, other, near)


def _centres(what: Clustered) -> Floats:
    random = np.random.default_rng([what.seed, 0])
    topics = _unit(random.standard_normal((_TOPICS, what.dimension), np.float32))
    return _near(topics[np.arange(what.clusters) % _TOPICS], _CENTRE_SPREAD, random)


def _near(rows: Floats, spread: float, random: np.random.Generator) -> Floats:
    noise = random.standard_normal(rows.shape, np.float32)
    return _unit(rows + np.float32(spread / np.sqrt(rows.shape[1])) * noise)


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, _BLOCK_ROWS):
        yield start, min(start + _BLOCK_ROWS, count)


def _documents(start: int, stop: int) -> pa.Table:
    size = stop - start
    ids = pa.array([f"d{row:09d}" for row in range(start, stop)], pa.string())
    constant = {
        "title": "",
        "language": "eng-Latn",
        "topic": "",
        "source": "synthetic",
        "entity_key": "",
    }
    numbers = {"language_score": (1.0, pa.float32()), "chunk_index": (0, pa.int32()),
               "num_chunks": (1, pa.int32())}  # fmt: skip
    columns: dict[str, pa.Array] = {
        **{name: pa.repeat(pa.scalar(value), size) for name, value in constant.items()},
        **{n: pa.repeat(pa.scalar(v, kind), size) for n, (v, kind) in numbers.items()},
        **dict.fromkeys(["doc_id", "source_key", "parent_id", "group_id"], ids),
        "text": pa.array([f"document {row}" for row in range(start, stop)], pa.string()),
        "natural_texts": pa.array([[]] * size, DOCUMENTS.field("natural_texts").type),
    }
    return pa.table([columns[name] for name in DOCUMENTS.names], schema=DOCUMENTS)
