"""Vectors that were computed elsewhere, as the stages of `pairmill mine` take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.mine_config import CorpusSettings, GivenVectorsConfig
from flows.resources import held
from flows.workspace import Workspace
from mining.given_vectors import FAISS_SUFFIXES, GivenVectors, open_vectors
from mining.vector_file import Floats, VectorFile
from sdg import store
from sdg.corpus.files import find_files
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.shards import Shard

_SUFFIXES = (".npy", ".parquet", *FAISS_SUFFIXES)
# Vectors of one text that was embedded twice may differ in their last bits; own.
_MAX_DIFFERENCE = 1e-3


def vectors_identity(config: CorpusSettings) -> dict[str, Any]:
    """Return JSON of everything that decides the vectors of queries and documents."""
    given = config.vectors
    if given is None:
        encoder = held(config.encoder)
        return {
            "encoder": encoder.identity(),
            "revision": encoder.revision(),
            "dtype": config.vector_dtype,
        }
    return {
        **given.model_dump(mode="json", exclude={"documents", "queries"}),
        "documents": _sums(given.documents),
        "queries": _sums(given.queries),
    }


def given_revision(given: GivenVectorsConfig) -> str:
    """Return what pins given vectors: the model's revision if it was told, else the content."""
    return given.revision or fingerprint([_sums(given.documents), _sums(given.queries)])


def given_dimension(space: Workspace, given: GivenVectorsConfig) -> int:
    """Return D of given vectors."""
    return _open(space, given.documents, given.document_column).dimension


def given_documents(
    space: Workspace, given: GivenVectorsConfig, documents: Sequence[Shard]
) -> GivenVectors:
    """Return the vectors of the documents that were kept.

    Args:
        space: The run's folders.
        given: Where vectors are.
        documents: Shards with the table keys.

    Raises:
        DataError: If there are fewer or more vectors than rows of the corpus.
    """
    file = _open(space, given.documents, given.document_column)
    num_rows = sum(shard.counts.rows_in for shard in documents)
    _check_count(file, num_rows, "document of the corpus")
    rows = pa.concat_tables([shard.table("keys", ["row"]) for shard in documents])["row"]
    return GivenVectors(file, given.name, normalise=given.normalise, rows=rows.to_numpy())


def given_queries(
    space: Workspace, given: GivenVectorsConfig, pair_rows: pa.ListArray, num_pairs: int
) -> Floats:
    """Return (Q, D) vectors of queries, of the first pair of each.

    Args:
        space: The run's folders.
        given: Where vectors are.
        pair_rows: Per query, the rows of its pairs.
        num_pairs: Rows of the pairs.

    Raises:
        DataError: If there are fewer or more vectors than pairs, a vector is not usable, the
            dimension is not the documents', or pairs of one query have different vectors.
    """
    file = _open(space, given.queries, given.query_column)
    _check_count(file, num_pairs, "pair")
    documents = _open(space, given.documents, given.document_column)
    if file.dimension != documents.dimension:
        raise DataError(
            f"`{file.path}` must hold vectors of the documents' length {documents.dimension}, but "
            f"holds {file.dimension} instead. Embed both sides with one model."
        )
    vectors = GivenVectors(file, given.name, normalise=given.normalise)
    rows = np.asarray(pair_rows.flatten(), np.int64)
    vectors.check_rows(rows)
    counts = np.asarray(pc.list_value_length(pair_rows), np.int64)
    read = vectors.read(rows)
    firsts = np.cumsum(counts) - counts
    differs = np.abs(read - np.repeat(read[firsts], counts, axis=0)).max(axis=1, initial=0)
    bad = np.flatnonzero(differs > _MAX_DIFFERENCE)
    if len(bad):
        query = int(np.searchsorted(firsts, bad[0], side="right")) - 1
        raise DataError(
            f"`{file.path}` must hold one vector for one query, but rows {rows[firsts[query]]} and "
            f"{rows[bad[0]]}, which have the same query, differ by {differs[bad[0]]:.3f}. "
            "Embed the pairs in their order."
        )
    return read[firsts]


def _check_count(file: VectorFile, wanted: int, what: str) -> None:
    if file.num_rows != wanted:
        raise DataError(
            f"`{file.path}` must hold one vector per {what} ({wanted}), but holds {file.num_rows} "
            "instead. Embed every row, in order."
        )


def _open(space: Workspace, path: str, column: str) -> VectorFile:
    return open_vectors(find_files(path, _SUFFIXES), column, space.vectors / "given")


def _sums(path: str) -> list[str]:
    return [store.remembered_sha256(file) for file in find_files(path, _SUFFIXES)]
