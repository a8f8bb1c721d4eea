"""The train split of a data set, as ids, and the documents it refers to."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from data_cards import layout
from sdg import store
from sdg.errors import DataError

TRAIN = "train"
_ROWS = ["query_id", "query", "positive_ids", "negative_ids", "group_id"]
_CORPUS = ["doc_id", "text", "group_id"]


class TrainRows(NamedTuple):
    """Rows and documents.

    Attributes:
        rows: query_id, query, positive_ids, negative_ids, group_id; by `query_id`.
        corpus: doc_id, text, group_id; by `doc_id`.
    """

    rows: pl.DataFrame
    corpus: pl.DataFrame


def read_train_rows(directory: Path) -> TrainRows:
    """Return the train split and the corpus of a finished data set.

    Raises:
        DataError: If it is none, or has no row to train on.
    """
    layout.check_directory(directory)
    files = layout.parquet_files(directory, layout.DATA)
    own = [file for file in files if layout.split_of(file.name) == TRAIN]
    rows = _read(own, _ROWS)
    if not rows.height:
        raise DataError(
            f"`{directory}` must have rows in the split {TRAIN!r}, but has none instead. "
            "Probe a data set with such a split."
        )
    corpus = _read(layout.parquet_files(directory, layout.CORPUS), _CORPUS)
    return TrainRows(rows.sort("query_id"), corpus.sort("doc_id"))


def _read(files: list[Path], columns: list[str]) -> pl.DataFrame:
    if not files:
        return pl.DataFrame(schema=columns)
    tables = [pl.DataFrame(store.read_parquet(file, columns)) for file in files]
    return pl.concat(tables)
