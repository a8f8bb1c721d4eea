"""Which documents stay becomes tables: those that do, and all others with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data_cards import layout
from data_cards.subsample_manifest import NOT_NEAR, OVER_LIMIT, STAGE
from data_cards.tables import PublishedTable
from flows.mine import EmbeddedPairs
from flows.mined import Others
from mining.subsample import Rows, SubsampledCorpus
from sdg import store
from sdg.schemas import DOCUMENTS
from sdg.shards import Counts, Shard

Fates = npt.NDArray[np.int8]

OWN_COLUMNS = (
    "doc_id",
    "text",
    "title",
    "language",
    "entity_key",
    "group_id",
    "parent_id",
    "chunk_index",
)
# What is added to a document.
ROW, IS_POSITIVE = ADDED_COLUMNS = "row", "is_positive"
# Every document of the corpus that does not stay, and every row of corpus or pairs that was not
# read; `row` is null where only `detail` tells it.
LEFT_OUT = pa.schema(
    [
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("row_id", pa.string()),
        (ROW, pa.int64()),
        ("detail", pa.string()),
    ]
)
_ROW_MEANING = {ROW: "Row in the corpus that was given, from 0; null if it had none."}
# Documents of a file: 100 to 250 MiB of passages before compression. Own.
_FILE_ROWS = 262_144
# Bytes of a file before compression; long documents reach them first. One file is in memory, twice
# while it is written. Own.
_FILE_BYTES = 2**28
# Documents read at once: a shard of 65,536 long ones would be gigabytes.
_READ_ROWS = 1024
# Of a document of the corpus, as codes.
_STAYS, _NOT_NEAR, _OVER_LIMIT = 0, 1, 2


def tables_of(attributes: Sequence[str]) -> dict[str, PublishedTable]:
    """Return what is published, by folder.

    Args:
        attributes: As for `kept_tables`.
    """
    beside = [name for name in attributes if name not in OWN_COLUMNS]
    columns = [DOCUMENTS.field(name) for name in OWN_COLUMNS]
    columns += [pa.field(name, pa.string()) for name in beside]
    columns += [pa.field(ROW, pa.int64()), pa.field(IS_POSITIVE, pa.bool_())]
    meanings = {
        **dict.fromkeys(beside, "A column of the corpus that was given."),
        **_ROW_MEANING,
        IS_POSITIVE: "Whether it is a positive of any query.",
    }
    return {
        layout.DATA: PublishedTable(
            pa.schema(columns), "One document that stays.", "doc_id", meanings
        ),
        layout.REJECTED: PublishedTable(
            LEFT_OUT, "Every other document or pair, with the reason.", meanings=_ROW_MEANING
        ),
    }


class Subsampled(NamedTuple):
    """What publishing reads.

    Attributes:
        inputs: Pairs, documents and their vectors.
        others: What the miners cut, and what approximate indexes find.
        found: Miner -> documents that it found.
        chosen: Which documents stay.
    """

    inputs: EmbeddedPairs
    others: Others
    found: dict[str, int]
    chosen: SubsampledCorpus


def fates_of(done: Subsampled) -> Fates:
    """Return (N,) what becomes of every document, those that only the pairs know included."""
    fates = np.full(sum(shard.counts.kept for shard in done.inputs.documents), _NOT_NEAR, np.int8)
    fates[done.chosen.rows] = _STAYS
    fates[done.chosen.over_limit] = _OVER_LIMIT
    return fates


def counts_of(done: Subsampled, fates: Fates) -> Counts:
    """Return what becomes of the documents of the corpus."""
    of_corpus = fates[: sum(shard.counts.kept for shard in done.inputs.corpus)]
    counts = {
        NOT_NEAR: (of_corpus == _NOT_NEAR).sum(),
        OVER_LIMIT: (of_corpus == _OVER_LIMIT).sum(),
    }
    rejected = {reason: int(count) for reason, count in counts.items() if count}
    kept = int((of_corpus == _STAYS).sum())
    return Counts(len(of_corpus), kept, rejected)


def kept_tables(done: Subsampled, fates: Fates, attributes: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the documents that stay, some at a time, in the order of the corpus.

    Args:
        done: The run.
        fates: Of every document.
        attributes: More columns that were kept beside the documents; one that is a column of the
            documents, too, is not there twice.
    """
    beside = [name for name in attributes if name not in OWN_COLUMNS]
    for shard, rows, places in _by_shard(done, fates == _STAYS):
        added = pa.table(
            {
                ROW: _source_rows(shard, pa.array(places)),
                IS_POSITIVE: pa.array(np.isin(rows, done.chosen.positives)),
            }
        )
        start = taken = 0
        for block in _blocks(shard, beside):
            end = start + len(block)
            own = places[(places >= start) & (places < end)]
            table, start = block.take(pa.array(own - start)), end
            for name in added.column_names:
                table = table.append_column(name, added[name].slice(taken, len(own)))
            taken += len(own)
            if len(own):
                yield table


def left_out_tables(done: Subsampled, fates: Fates) -> Iterator[pa.Table]:
    """Yield what was not read, then the documents that do not stay."""
    for shard in [*done.inputs.corpus, done.inputs.pairs]:
        if shard.counts.rejected:
            table = shard.table("rejected", ["stage", "reason", "row_id", "detail"])
            yield table.append_column(ROW, pa.nulls(len(table), pa.int64())).select(LEFT_OUT.names)
    reasons = pa.array([None, NOT_NEAR, OVER_LIMIT])
    for shard, rows, numbers in _by_shard(done, fates != _STAYS):
        places = pa.array(numbers)
        columns = [
            pa.array([STAGE] * len(rows)),
            reasons.take(pa.array(fates[rows])),
            shard.table("kept", ["doc_id"])["doc_id"].take(places),
            _source_rows(shard, places),
            pa.array([""] * len(rows)),
        ]
        yield pa.table(columns, schema=LEFT_OUT)


def _by_shard(
    done: Subsampled, is_wanted: npt.NDArray[np.bool_]
) -> Iterator[tuple[Shard, Rows, Rows]]:
    """Yield each shard with wanted documents: their rows in the whole and their places in it."""
    start = 0
    for shard in done.inputs.documents:
        end = start + shard.counts.kept
        places = np.flatnonzero(is_wanted[start:end])
        if len(places):
            yield shard, start + places, places
        start = end


def _blocks(shard: Shard, beside: list[str]) -> Iterator[pa.Table]:
    """Yield the documents of a shard with more columns, in memory a few at a time."""
    kept, more = shard.folder / "kept.parquet", shard.folder / "attributes.parquet"
    own = store.parquet_blocks(kept, list(OWN_COLUMNS), _READ_ROWS)
    if not beside:
        yield from own
        return
    for block, other in zip(own, store.parquet_blocks(more, beside, _READ_ROWS), strict=True):
        columns = [*block.columns, *other.columns]
        yield pa.table(columns, [*block.column_names, *other.column_names])


def _source_rows(shard: Shard, places: pa.Array) -> pa.ChunkedArray:
    """Return the rows in the corpus that was given; null for what only the pairs know."""
    rows = shard.table("keys", ["row"])["row"].take(places)
    return pc.if_else(pc.less(rows, 0), None, rows)


def in_files(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables joined to at most `_FILE_ROWS` rows and `_FILE_BYTES`, each as full as it can.

    Where a file ends depends on its rows only, not on how they came. A row that is larger than
    `_FILE_BYTES` has a file for itself.
    """
    waiting: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        ends = np.cumsum(_row_bytes(table))
        start = 0
        while start < len(table):
            before = int(ends[start - 1]) if start else 0
            fit = int(np.searchsorted(ends, before + _FILE_BYTES - size, side="right")) - start
            count = min(fit, _FILE_ROWS - rows)
            if count <= 0 and rows:
                yield pa.concat_tables(waiting)
                waiting, rows, size = [], 0, 0
                continue
            part = table.slice(start, max(1, count))
            waiting.append(part)
            start += len(part)
            rows, size = rows + len(part), size + int(ends[start - 1]) - before
    if rows:
        yield pa.concat_tables(waiting)


def _row_bytes(table: pa.Table) -> Rows:
    """Return (R,) bytes of each row before compression, whatever the chunks."""
    sizes = np.full(len(table), 8 * table.num_columns, np.int64)
    for column in table.columns:
        if pa.types.is_string(column.type):
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy()
    return sizes
