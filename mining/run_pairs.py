"""The queries of a run as `pair_rules.Pairs`, put together from the shards they lie in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from sdg.errors import ContractError

Floats = npt.NDArray[np.float32]

QUERY_COLUMNS = [
    "query_id", "query", "query_language", "document_language", "task", "generator",
    "source_doc_id", "paraphrase_of", "request_id",
]  # fmt: skip


def pair_rows(
    queries: Iterable[pa.Table], candidates: Iterable[pa.Table], *, best_of: bool
) -> pl.DataFrame:
    """Return `Pairs.rows` without `parent_id`, whatever the cut and the order of the tables.

    Args:
        queries: Tables with at least QUERY_COLUMNS.
        candidates: Tables with at least `query_id` and `source_score`: each query once.
        best_of: True if of the generated queries of one request one will stay.

    Raises:
        ContractError: If a query has no score or several.
    """
    rows = pl.concat([pl.DataFrame(table.select(QUERY_COLUMNS)) for table in queries])
    scores = pl.concat(
        [pl.DataFrame(table.select(["query_id", "source_score"])) for table in candidates]
    )
    scored = rows.join(scores, on="query_id", how="left").sort("query_id")
    known = scored["source_score"].fill_nan(None).drop_nulls()
    if not len(known) == len(scored) == len(rows):
        raise ContractError(
            f"Each of {len(rows)} queries must have one cosine with its source document, but there "
            f"are {len(known)} for them. Retrieve candidates for exactly these queries."
        )
    is_try = (pl.col("generator") != "") & pl.lit(best_of)
    return scored.select(
        pl.exclude("request_id", "source_score"),
        try_of=pl.when(is_try).then("request_id").otherwise("query_id"),
        source_score=pl.col("source_score").cast(pl.Float64),
        place=pl.int_range(pl.len(), dtype=pl.Int64),
    )


def with_parents(rows: pl.DataFrame, documents: pa.Table) -> pl.DataFrame:
    """Return the rows with `parent_id`, that of their source document.

    Args:
        rows: With `source_doc_id`.
        documents: With `doc_id` and `parent_id`; holds every source document once.

    Raises:
        ContractError: If a source document is missing.
    """
    parents = pl.DataFrame(documents.select(["doc_id", "parent_id"]))
    found = rows.join(
        parents, left_on="source_doc_id", right_on="doc_id", how="left", maintain_order="left"
    )
    lost = found.filter(pl.col("parent_id").is_null())
    if len(lost):
        raise ContractError(
            f"Every query's source document must be given, but {len(lost)} of {len(rows)} queries "
            f"have none, the first being {lost['source_doc_id'][0]!r}. "
            "Pass the documents that the queries were made from."
        )
    return found


@contextmanager
def gathered_vectors(
    tables: Iterable[pa.Table], query_ids: pl.Series, folder: Path
) -> Iterator[Floats]:
    """Yield (N, D) float32 vectors in the order of `query_ids`, in a nameless file.

    The file lies in `folder` and is gone when the block ends, or the process. The system keeps of
    it in memory what it has room for, so a run may be larger than memory.

    Args:
        tables: With `query_id` and `vector`, lists of D float32; ids that are not asked for are
            left out. Read once, one at a time.
        query_ids: N different ids, ascending, at least one.
        folder: Must exist.

    Raises:
        ContractError: If a query has no vector.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        out: Floats | None = None
        found = 0
        for table in tables:
            if not table.num_rows:
                continue
            places = query_ids.search_sorted(pl.Series(table["query_id"])).to_numpy()
            places = np.minimum(places, len(query_ids) - 1)
            is_asked = (query_ids.gather(places) == pl.Series(table["query_id"])).to_numpy()
            flat = np.asarray(table["vector"].combine_chunks().flatten(), np.float32)
            block = flat.reshape(table.num_rows, -1)
            if out is None:
                shape = (len(query_ids), block.shape[1])
                out = np.memmap(file, np.float32, "w+", shape=shape)
            out[places[is_asked]] = block[is_asked]
            found += int(is_asked.sum())
        if out is None or found != len(query_ids):
            raise ContractError(
                f"Each of {len(query_ids)} queries must have one vector, but {found} were found. "
                "Embed exactly these queries."
            )
        yield out


def lost_originals(rows: pl.DataFrame) -> list[str]:
    """Return the ids in `paraphrase_of` that are no row's `query_id`, ascending."""
    originals = rows["paraphrase_of"].unique()
    is_lost = (originals != "") & ~originals.is_in(rows["query_id"].implode())
    return sorted(originals.filter(is_lost))


def texts_of(queries: Iterable[pa.Table], query_ids: Sequence[str]) -> dict[str, str]:
    """Return id -> text of the queries with these ids, as far as they are there, by id."""
    wanted = pl.Series(query_ids, dtype=pl.String).implode()
    found: dict[str, str] = {}
    for table in queries:
        rows = pl.DataFrame(table.select(["query_id", "query"]))
        found.update(rows.filter(pl.col("query_id").is_in(wanted)).iter_rows())
    return dict(sorted(found.items()))
