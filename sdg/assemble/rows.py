"""Tables of the survivors -> canonical example rows, and the documents they refer to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sdg.assemble import arrow_lists
from sdg.assemble.relevance import relevance_of
from sdg.assemble.splits import SPLITS
from sdg.errors import ContractError
from sdg.ids import comparison_key
from sdg.schemas import (
    DOCUMENTS,
    EXAMPLES,
    NEGATIVES,
    POSITIVES,
    PROVENANCE,
    QUERIES,
    check_table,
)

_FILLED = ("positives", "positive_languages", "negatives", "negative_languages", "relevance")
_NOT_PUBLISHED = ("language_score", "natural_texts")  # heavy, and already used up by the queries

# Documents that example rows refer to, as published.
CORPUS = pa.schema([field for field in DOCUMENTS if field.name not in _NOT_PUBLISHED])
# Example rows before the documents' texts are joined: ids, scores and what the query says.
ROWS = pa.schema([field for field in EXAMPLES if field.name not in _FILLED])
Integers = npt.NDArray[np.int64]


def used_ids(queries: pa.Table, positives: pa.Table, negatives: pa.Table) -> pa.StringArray:
    """Return the ids of all documents that rows refer to, ascending, each once.

    These are source documents, positives, positives before relabelling, and negatives.
    """
    columns = [
        queries["source_doc_id"],
        positives["original_positive_id"],
        pc.list_flatten(positives["positive_ids"]),
        pc.list_flatten(negatives["negative_ids"]),
    ]
    ids = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
    unique = ids.unique().drop_null()
    return unique.take(pc.sort_indices(unique))


def corpus_rows(documents: pa.Table, used: pa.Array) -> pa.Table:
    """Return the documents in `used`, schema CORPUS, ascending by `doc_id`.

    Args:
        documents: Schema DOCUMENTS, or one part of the corpus; the text of used ones is copied.
        used: Document ids, as `used_ids` returns them.

    Returns:
        The found documents without the columns that only the pipeline needs. Parts of a corpus
        may be passed one after the other; `join` errors name ids that no part held.
    """
    check_table(documents, DOCUMENTS, "documents")
    found = documents.select(CORPUS.names).filter(pc.is_in(documents["doc_id"], value_set=used))
    return _take(found, pc.sort_indices(found["doc_id"]), CORPUS)


def join_rows(
    queries: pa.Table, positives: pa.Table, negatives: pa.Table, splits: pa.Table
) -> pa.Table:
    """Return example rows without documents' texts, schema ROWS, ascending by `query_id`.

    Args:
        queries: Schema QUERIES.
        positives: Schema POSITIVES; the order of its lists is the order of the row's positives.
        negatives: Schema NEGATIVES; scores of positives and negatives come from here.
        splits: Schema SPLITS. All four have the same query ids, in any order.

    Raises:
        ContractError: If query ids differ or repeat, lists of one row differ in length, or
            positives and negatives disagree on what the positives are.
    """
    tables = {"queries": queries, "positives": positives, "splits": splits}
    check_table(queries, QUERIES, "queries")
    check_table(positives, POSITIVES, "positives")
    check_table(negatives, NEGATIVES, "negatives")
    check_table(splits, SPLITS, "splits")
    for name, table in tables.items():
        arrow_lists.check_same_ids(negatives, table, name)
    order = pc.sort_indices(negatives["query_id"])
    mined = negatives.take(order)
    ids = mined["query_id"]
    asked, judged, placed = (
        table.take(arrow_lists.positions(ids, table["query_id"], name))
        for name, table in tables.items()
    )
    _check_lists(judged, mined)
    parents = {**_columns(asked), **_columns(judged)}
    provenance = pa.StructArray.from_arrays(
        [arrow_lists.one(parents[field.name]) for field in PROVENANCE], fields=list(PROVENANCE)
    )
    values = {**parents, **_columns(mined), **_columns(placed), "provenance": provenance}
    return pa.Table.from_arrays([arrow_lists.one(values[n]) for n in ROWS.names], schema=ROWS)


def fill_texts(rows: pa.Table, documents: pa.Table, grades: pa.Table | None = None) -> pa.Table:
    """Return `rows` with the texts and languages of their documents, schema EXAMPLES, same order.

    Args:
        rows: Schema ROWS; memory grows with these, so pass one planned file at a time.
        documents: Columns `doc_id`, `text`, `language` of at least the documents referred to.
        grades: GRADES of judges, or None; what they did not grade is null.

    Raises:
        ContractError: If a document is missing, or a row's negative is one of its positives by id
            or by text (equal under `ids.comparison_key`).
    """
    check_table(rows, ROWS, "rows")
    places = {
        side: arrow_lists.positions(
            arrow_lists.flat(rows[f"{side}_ids"]).values, documents["doc_id"], "documents"
        )
        for side in ("positive", "negative")
    }
    lengths = {side: arrow_lists.flat(rows[f"{side}_ids"]).lengths for side in places}
    _check_no_positive_is_negative(rows, documents, places, lengths)
    values = _columns(rows)
    for side, found in places.items():
        texts = documents["text"].cast(pa.large_string()).take(found).cast(pa.string())
        languages = documents["language"].take(found)
        values[f"{side}s"] = arrow_lists.lists_of(texts, lengths[side])
        values[f"{side}_languages"] = arrow_lists.lists_of(languages, lengths[side])
    values["relevance"] = relevance_of(rows, grades)
    return pa.Table.from_arrays(
        [arrow_lists.one(values[name]) for name in EXAMPLES.names], schema=EXAMPLES
    )


def assemble_rows(
    queries: pa.Table,
    positives: pa.Table,
    negatives: pa.Table,
    documents: pa.Table,
    splits: pa.Table,
) -> pa.Table:
    """Return canonical example rows, schema EXAMPLES, ascending by `query_id`; all at once.

    `join_rows` followed by `fill_texts`; use the two apart where the texts outgrow memory.
    """
    return fill_texts(join_rows(queries, positives, negatives, splits), documents)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _take(table: pa.Table, places: pa.Array, schema: pa.Schema) -> pa.Table:
    # 64-bit offsets: a column of texts may exceed the 2 GiB that 32-bit ones can address.
    wide = [
        pa.field(f.name, pa.large_string() if f.type == pa.string() else f.type) for f in schema
    ]
    taken = table.cast(pa.schema(wide)).take(places)
    pieces = [piece.cast(schema) for piece in taken.to_batches(max_chunksize=65536)]
    return pa.Table.from_batches(pieces, schema)


def _check_lists(judged: pa.Table, mined: pa.Table) -> None:
    """Check that a row's lists align, and that both tables agree on its positives."""
    ids = mined["query_id"]
    aligned = (
        ("positive_ids", "positive_scores"),
        ("negative_ids", "negative_scores"),
        ("negative_ids", "negative_ranks"),
        ("negative_ids", "negative_sources"),
    )
    for one, other in aligned:
        bad = arrow_lists.flat(mined[one]).lengths != arrow_lists.flat(mined[other]).lengths
        if bad.any():
            raise ContractError(
                f"`{one}` and `{other}` of a row must have the same length, but those of "
                f"{ids[int(bad.argmax())].as_py()} have not. The mining stage misaligns them."
            )
    if not arrow_lists.one(judged["positive_ids"]).equals(arrow_lists.one(mined["positive_ids"])):
        pairs = zip(
            judged["positive_ids"].to_pylist(), mined["positive_ids"].to_pylist(), strict=True
        )
        bad_row = next(i for i, (one, other) in enumerate(pairs) if one != other)
        raise ContractError(
            "Negatives must be mined against the positives of `positives`, but those of "
            f"{ids[bad_row].as_py()} differ. Mine again after relabelling."
        )


def _check_no_positive_is_negative(
    rows: pa.Table,
    documents: pa.Table,
    places: dict[str, pa.Array],
    lengths: dict[str, Integers],
) -> None:
    used = np.unique(np.concatenate([found.to_numpy() for found in places.values()]))
    texts = documents["text"].take(pa.array(used))
    keys = pa.array([comparison_key(text) for text in texts.to_pylist()], pa.string())
    _, key_codes = arrow_lists.encode(keys)
    width = len(key_codes) + 1
    codes = {}
    for side, found in places.items():
        row_numbers = np.repeat(np.arange(rows.num_rows), lengths[side])
        codes[side] = row_numbers * width + key_codes[np.searchsorted(used, found.to_numpy())]
    both = np.intersect1d(codes["positive"], codes["negative"])
    if both.size:
        row = int(both[0] // width)
        raise ContractError(
            f"A row's negatives must differ from its positives by id and by text, but one of "
            f"{rows['query_id'][row].as_py()} does not. The mining rules that drop known positives "
            "and duplicates of the positive did not run or did not hold."
        )
