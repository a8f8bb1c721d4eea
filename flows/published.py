"""A published data set read back as the tables of the stages that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from data_cards import layout
from data_cards.manifest import DataSetManifest, load_manifest
from data_cards.verify import verify_data_set
from flows.resources import Documents
from sdg import store
from sdg.assemble import ROWS
from sdg.errors import DataError
from sdg.schemas import (
    DOCUMENTS,
    EXAMPLES,
    GRADES,
    NEGATIVES,
    POSITIVES,
    QUERIES,
    REJECTIONS,
    REVIEWS,
)

_NEEDED = pa.schema([*ROWS, EXAMPLES.field("relevance")])
_BLANK: dict[str, Any] = {"string": "", "int32": 0, "int64": 0}


class StageTables(NamedTuple):
    """Finished rows as the stages had them.

    Attributes:
        queries: QUERIES; what a finished row does not say is blank.
        positives: POSITIVES.
        negatives: NEGATIVES, nothing dropped, every negative looked at.
        grades: GRADES in `relevance`.
    """

    queries: pa.Table
    positives: pa.Table
    negatives: pa.Table
    grades: pa.Table


def open_published(directory: Path) -> DataSetManifest:
    """Return the manifest of a data set that keeps every promise.

    Raises:
        DataError: If it is none, is damaged, or was edited.
    """
    manifest = load_manifest(directory)
    problems = verify_data_set(directory)
    if problems:
        listed = "; ".join(f"{p.check}: {p.message}" for p in problems[:5])
        raise DataError(
            f"`{directory}` must be a whole data set, but {len(problems)} checks fail: {listed}. "
            "Run the command that wrote it again: it mends what is damaged."
        )
    return manifest


def read_rows(directory: Path) -> pa.Table:
    """Return all rows without texts of documents, file by file in the order of their names."""
    files = layout.parquet_files(directory, layout.DATA)
    tables = [store.read_parquet(file, _NEEDED.names).cast(_NEEDED) for file in files]
    return pa.concat_tables([_NEEDED.empty_table(), *tables])


def read_documents(file: Path) -> pa.Table:
    """Return one file of DIR/corpus as DOCUMENTS; what publishing left out is null."""
    found = store.read_parquet(file)
    columns = [
        found[field.name] if field.name in found.column_names else pa.nulls(len(found), field.type)
        for field in DOCUMENTS
    ]
    return pa.Table.from_arrays(columns, schema=DOCUMENTS)


def read_rejections(directory: Path) -> pa.Table:
    """Return what stopped while the data set was made."""
    files = layout.parquet_files(directory, layout.REJECTED)
    return pa.concat_tables([REJECTIONS.empty_table(), *(store.read_parquet(f) for f in files)])


def read_reviews(directory: Path, ids: pa.Array) -> pa.Table:
    """Return what reviewers said of the rows with these ids, in the order of the files."""
    files = layout.parquet_files(directory, layout.REVIEWS)
    table = pa.concat_tables([REVIEWS.empty_table(), *(store.read_parquet(f) for f in files)])
    return table.filter(pc.is_in(table["query_id"], value_set=ids)).combine_chunks()


def stage_tables(rows: pa.Table, corpus: Documents) -> StageTables:
    """Return finished rows as the tables that stages take.

    Args:
        rows: What `read_rows` returned, or a slice of it.
        corpus: Where the languages of source documents are looked up.
    """
    provenance = rows["provenance"].combine_chunks()
    values = {name: rows[name] for name in rows.column_names if name != "provenance"}
    values |= {
        field.name: pc.struct_field(provenance, field.name)
        for field in _NEEDED.field("provenance").type
    }
    sources = corpus.rows(values["source_doc_id"], ["doc_id", "language"])
    places = pc.index_in(values["source_doc_id"], value_set=sources["doc_id"].combine_chunks())
    values["document_language"] = sources["language"].take(places)
    looked_at = pc.list_value_length(rows["negative_ids"])
    nothing = pa.array([[]] * rows.num_rows, NEGATIVES.field("dropped").type)
    return StageTables(
        _table(QUERIES, values, rows.num_rows),
        _table(POSITIVES, values, rows.num_rows),
        _table(NEGATIVES, {**values, "dropped": nothing, "search_depth": looked_at}, rows.num_rows),
        _grades(rows),
    )


def _table(schema: pa.Schema, values: dict[str, Any], num_rows: int) -> pa.Table:
    columns = [
        values[field.name].cast(field.type)
        if field.name in values
        else pa.array([_BLANK.get(str(field.type))] * num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _grades(rows: pa.Table) -> pa.Table:
    found = [
        {"query_id": query_id, "doc_id": doc_id, "grade": grade}
        for query_id, positives, negatives, relevance in zip(
            *(
                rows[name].to_pylist()
                for name in ("query_id", "positive_ids", "negative_ids", "relevance")
            ),
            strict=True,
        )
        for doc_id, grade in zip([*positives, *negatives], relevance, strict=True)
        if grade is not None
    ]
    return pa.Table.from_pylist(found, schema=GRADES)
