"""Which rows go to which file: bounded size, deterministic names."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sdg.assemble import arrow_lists
from sdg.assemble.config import AssembleConfig
from sdg.assemble.rows import CORPUS
from sdg.schemas import MINER_SCORES, REJECTIONS, REVIEWS, check_table

# Bytes counted per row and per listed document besides their texts; deliberately too many.
_ROW_BYTES, _ENTRY_BYTES = 1024, 128

Integers = npt.NDArray[np.int64]


class PlannedFile(NamedTuple):
    """A file to write: its name, and the rows it holds (a view, nothing is copied)."""

    name: str
    rows: pa.Table


def plan_files(rows: pa.Table, documents: pa.Table, config: AssembleConfig) -> list[PlannedFile]:
    """Return which rows go to which file: `<split>-<index>-of-<number>.parquet`.

    Files follow the order of `config.splits`; a split without rows has no file.

    Args:
        rows: Schema ROWS, ascending by `query_id`.
        documents: Columns `doc_id` and `text`; only the lengths of texts are read.
        config: Splits and the limit of a file.
    """
    sizes = pc.binary_length(rows["query"]).to_numpy().astype(np.int64) + _ROW_BYTES
    doc_sizes = pc.binary_length(documents["text"]).to_numpy().astype(np.int64) + _ENTRY_BYTES
    for column in ("positive_ids", "negative_ids"):
        ids = arrow_lists.flat(rows[column])
        places = arrow_lists.positions(ids.values, documents["doc_id"], "documents")
        total = np.concatenate([[0], np.cumsum(doc_sizes[places.to_numpy()])])
        ends = np.cumsum(ids.lengths)
        sizes += total[ends] - total[ends - ids.lengths]
    files = []
    for split in config.splits:
        mask = pc.equal(rows["split"], split)
        files += _cut(rows.filter(mask), sizes[mask.to_numpy()], split, config.max_shard_bytes)
    return files


def plan_corpus_files(corpus: pa.Table, config: AssembleConfig) -> list[PlannedFile]:
    """Return which documents go to which file: `corpus-<index>-of-<number>.parquet`."""
    check_table(corpus, CORPUS, "corpus")
    sizes = pc.binary_length(corpus["text"]).to_numpy().astype(np.int64) + _ROW_BYTES
    return _cut(corpus, sizes, "corpus", config.max_shard_bytes)


def plan_rejected_files(rejections: pa.Table, config: AssembleConfig) -> list[PlannedFile]:
    """Return which rejections go to which file, in the order given.

    The order is the caller's: stages in the order they ran, shards by number.
    """
    check_table(rejections, REJECTIONS, "rejections")
    sizes = pc.binary_length(rejections["row"]).to_numpy().astype(np.int64) + _ROW_BYTES
    return _cut(rejections, sizes, "rejected", config.max_shard_bytes)


def plan_miner_files(scores: pa.Table, config: AssembleConfig) -> list[PlannedFile]:
    """Return which miners' scores go to which file: `miners-<index>-of-<number>.parquet`."""
    check_table(scores, MINER_SCORES, "miners")
    sizes = np.full(scores.num_rows, _ENTRY_BYTES, np.int64)
    return _cut(scores, sizes, "miners", config.max_shard_bytes)


def plan_review_files(reviews: pa.Table, config: AssembleConfig) -> list[PlannedFile]:
    """Return which scores of reviewers go to which file: `reviews-<index>-of-<number>.parquet`."""
    check_table(reviews, REVIEWS, "reviews")
    sizes = np.full(reviews.num_rows, _ENTRY_BYTES, np.int64)
    return _cut(reviews, sizes, "reviews", config.max_shard_bytes)


def _cut(table: pa.Table, sizes: Integers, stem: str, limit: int) -> list[PlannedFile]:
    """Return `table` cut into files of at most `limit` bytes, in order; none if it has no rows."""
    ends = np.cumsum(sizes)
    starts = [0]
    while starts[-1] < table.num_rows:
        done = ends[starts[-1] - 1] if starts[-1] else 0
        end = int(np.searchsorted(ends, done + limit, side="right"))
        starts.append(max(end, starts[-1] + 1))
    total = len(starts) - 1
    return [
        PlannedFile(f"{stem}-{i:05d}-of-{total:05d}.parquet", table.slice(start, end - start))
        for i, (start, end) in enumerate(itertools.pairwise(starts))
    ]
