"""Which documents stay becomes tables: those that do, and all others with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data_cards.subsample_manifest import STAGE
from flows.mine import EmbeddedPairs
from flows.mined import Others
from mining.subsample import Rows, SubsampledCorpus
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
NOT_NEAR = "not_near"
OVER_LIMIT = "over_limit"
# Documents of a file: 100 to 250 MiB of passages before compression. Own.
_FILE_ROWS = 262_144
# Of a document of the corpus, as codes.
_STAYS, _NOT_NEAR, _OVER_LIMIT = 0, 1, 2


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
    """Yield the documents that stay, shard by shard, in the order of the corpus.

    Args:
        done: The run.
        fates: Of every document.
        attributes: More columns that were kept beside the documents; one that is a column of the
            documents, too, is not there twice.
    """
    beside = [name for name in attributes if name not in OWN_COLUMNS]
    for shard, rows, places in _by_shard(done, fates == _STAYS):
        table = shard.table("kept", list(OWN_COLUMNS)).take(places)
        for name in beside:
            own = shard.table("attributes", [name])[name].take(places)
            table = table.append_column(name, own)
        table = table.append_column(ROW, _source_rows(shard, places))
        is_positive = pa.array(np.isin(rows, done.chosen.positives))
        yield table.append_column(IS_POSITIVE, is_positive)


def left_out_tables(done: Subsampled, fates: Fates) -> Iterator[pa.Table]:
    """Yield what was not read, then the documents that do not stay."""
    for shard in [*done.inputs.corpus, done.inputs.pairs]:
        if shard.counts.rejected:
            table = shard.table("rejected", ["stage", "reason", "row_id", "detail"])
            yield table.append_column(ROW, pa.nulls(len(table), pa.int64())).select(LEFT_OUT.names)
    reasons = pa.array([None, NOT_NEAR, OVER_LIMIT])
    for shard, rows, places in _by_shard(done, fates != _STAYS):
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
) -> Iterator[tuple[Shard, Rows, pa.Array]]:
    """Yield each shard with wanted documents: their rows in the whole and their places in it."""
    start = 0
    for shard in done.inputs.documents:
        end = start + shard.counts.kept
        places = np.flatnonzero(is_wanted[start:end])
        if len(places):
            yield shard, start + places, pa.array(places)
        start = end


def _source_rows(shard: Shard, places: pa.Array) -> pa.ChunkedArray:
    """Return the rows in the corpus that was given; null for what only the pairs know."""
    rows = shard.table("keys", ["row"])["row"].take(places)
    return pc.if_else(pc.less(rows, 0), None, rows)


def in_files(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables joined to `_FILE_ROWS` rows, the last to what is left."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) >= _FILE_ROWS:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, _FILE_ROWS)
            waiting = [joined.slice(_FILE_ROWS)]
    if sum(map(len, waiting)):
        yield pa.concat_tables(waiting)
