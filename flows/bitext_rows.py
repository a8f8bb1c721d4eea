"""Rows of pairs become texts: the published pairs, and what was not taken with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from flows.bitext_config import SIDES, Side
from flows.bitext_stages import BELOW, UNDEFINED
from mining.texts import ParquetTexts
from sdg.shards import Counts, Shard

Rows = npt.NDArray[np.int64]

PAIRS = pa.schema(
    [
        ("query", pa.string()),  # the source's sentence
        ("positive", pa.string()),  # the target's
        ("query_id", pa.string()),
        ("positive_ids", pa.list_(pa.string())),  # one id: the target's
        ("query_language", pa.string()),
        ("positive_language", pa.string()),
        ("margin", pa.float64()),
        ("cosine", pa.float32()),
    ]
)
# A pair that was not taken has both sides; a sentence without a pair, or one that was not read,
# has its own only.
NOT_TAKEN = pa.schema([("stage", pa.string()), ("reason", pa.string()), *PAIRS])
NOT_RETRIEVED = "not_retrieved"
# Rows of a file: 50 to 100 MiB of sentences. Own.
_FILE_ROWS = 262_144
_NAMES: dict[Side, tuple[str, str, str]] = {
    "source": ("query_id", "query", "query_language"),
    "target": ("positive_ids", "positive", "positive_language"),
}


class Sentences(NamedTuple):
    """One side, looked up by row.

    Attributes:
        ids: (N,) ids.
        languages: (N,) tags.
        texts: Read when asked for.
    """

    ids: pa.Array
    languages: pa.Array
    texts: ParquetTexts

    @classmethod
    def of(cls, documents: Sequence[Shard]) -> Sentences:
        """Return the sentences that were kept."""
        texts = ParquetTexts([shard.folder / "kept.parquet" for shard in documents])
        ids, languages = (texts.column(n).combine_chunks() for n in ("doc_id", "language"))
        return cls(ids, languages, texts)

    def columns(self, side: Side, rows: Rows) -> dict[str, Any]:
        """Return id, text and language of rows under the names of a side."""
        places = pa.array(rows, pa.int64())
        ids = self.ids.take(places)
        values = [
            _lists(ids) if side == "target" else ids,
            pa.array(self.texts.texts(rows), pa.string()),
            self.languages.take(places),
        ]
        return dict(zip(_NAMES[side], values, strict=True))


class Fates(NamedTuple):
    """What became of the sentences of one side.

    Attributes:
        counts: In sentences: kept are those in a pair that was taken.
        unpaired: (U,) rows that no pair of the retrieval holds.
    """

    counts: Counts
    unpaired: Rows


def fates_of(side: Side, num_rows: int, mined: Shard) -> Fates:
    """Return what became of every sentence of a side: its best fate, if it is in several pairs."""
    column = f"{side}_row"
    reasons = np.full(num_rows, 0, np.int8)
    rejected = mined.table("rejected", [column, "margin"])
    rows, margins = rejected[column].to_numpy(), rejected["margin"].to_numpy()
    reasons[rows[np.isinf(margins)]] = 1
    reasons[rows[np.isfinite(margins)]] = 2
    reasons[mined.table("kept", [column])[column].to_numpy()] = 3
    names = {NOT_RETRIEVED: 0, UNDEFINED: 1, BELOW: 2}
    found = {name: int((reasons == value).sum()) for name, value in sorted(names.items())}
    rejections = {name: count for name, count in found.items() if count}
    kept = int((reasons == 3).sum())
    return Fates(Counts(num_rows, kept, rejections), np.flatnonzero(reasons == 0))


def pair_tables(mined: pa.Table, sides: Mapping[Side, Sentences]) -> Iterator[pa.Table]:
    """Yield PAIRS, a file at a time, in the order of `mined` (PAIR_ROWS)."""
    for start in range(0, mined.num_rows, _FILE_ROWS):
        yield _table(PAIRS, _columns(mined.slice(start, _FILE_ROWS), sides))


def not_taken_tables(
    mined: Shard,
    sides: Mapping[Side, Sentences],
    unpaired: Mapping[Side, Rows],
    read: Mapping[Side, Sequence[Shard]],
) -> Iterator[pa.Table]:
    """Yield NOT_TAKEN: rows that were not read, pairs, then sentences without a pair."""
    for side in SIDES:
        for shard in read[side]:
            if shard.counts.rejected:
                yield _not_read(side, shard.table("rejected", ["row_id", "reason"]))
    rejected = mined.table("rejected")
    for start in range(0, rejected.num_rows, _FILE_ROWS):
        part = rejected.slice(start, _FILE_ROWS)
        is_defined = pc.is_finite(part["margin"])
        columns = _columns(part, sides)
        columns["margin"] = pc.if_else(is_defined, part["margin"], None)
        columns["reason"] = pc.if_else(is_defined, BELOW, UNDEFINED)
        yield _table(NOT_TAKEN, columns, "pairs")
    for side in SIDES:
        for start in range(0, len(unpaired[side]), _FILE_ROWS):
            rows = unpaired[side][start : start + _FILE_ROWS]
            columns = sides[side].columns(side, rows)
            columns["reason"] = pa.array([NOT_RETRIEVED] * len(rows))
            yield _table(NOT_TAKEN, columns, f"{side}_pairs")


def languages_of(mined: pa.Table, sides: Mapping[Side, Sentences]) -> list[tuple[str, str, int]]:
    """Return (source language, target language, pairs), in alphabetical order."""
    tags = {
        side: sides[side].languages.take(mined[f"{side}_row"].combine_chunks()) for side in SIDES
    }
    counted = pl.DataFrame(tags).group_by(*SIDES).agg(pl.len()).sort(*SIDES)
    return list(counted.iter_rows())


def _not_read(side: Side, rejected: pa.Table) -> pa.Table:
    ids = rejected["row_id"].combine_chunks()
    own = _lists(ids) if side == "target" else ids
    return _table(NOT_TAKEN, {"reason": rejected["reason"], _NAMES[side][0]: own}, side)


def _columns(rows: pa.Table, sides: Mapping[Side, Sentences]) -> dict[str, Any]:
    columns = {"margin": rows["margin"], "cosine": rows["cosine"]}
    for side in SIDES:
        columns |= sides[side].columns(side, rows[f"{side}_row"].to_numpy())
    return columns


def _table(schema: pa.Schema, columns: dict[str, Any], stage: str = "") -> pa.Table:
    """Return a table of `schema`; columns that are not given are null, but for the stage."""
    count = len(next(iter(columns.values())))
    given = {"stage": pa.array([stage] * count), **columns}
    arrays = [given.get(f.name, pa.nulls(count, f.type)) for f in schema]
    return pa.table(dict(zip(schema.names, arrays, strict=True)), schema=schema)


def _lists(ids: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.arange(len(ids) + 1), pa.int32()), ids)
