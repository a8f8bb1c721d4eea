"""Figures computed from a finished data set's Parquet files; nothing here is taken on trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from data_cards import layout
from sdg.errors import DataError
from sdg.schemas import EXAMPLES

EXCERPT_CHARACTERS = 240
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_MAX_TYPICAL = 6


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Spread of a figure over `count` values; all five are 0 if there are none."""

    count: int
    minimum: float
    lower: float
    median: float
    upper: float
    maximum: float


@dataclass(frozen=True, slots=True)
class RowCount:
    """Rows of one combination; `generator` is "" for natural pairs."""

    split: str
    task: str
    query_language: str
    positive_language: str
    generator: str
    rows: int


@dataclass(frozen=True, slots=True)
class TypicalRow:
    """The row of a task whose query has the median length; texts cut to EXCERPT_CHARACTERS."""

    query_id: str
    task: str
    query_language: str
    generator: str
    query: str
    positive: str
    negative: str


@dataclass(frozen=True, slots=True)
class DataSetStatistics:
    """What the files hold.

    Attributes:
        row_counts: Rows per split, task, languages and generator, in that order.
        corpus_counts: Language -> documents in corpus/.
        query_characters: Lengths of queries.
        positive_characters: Lengths of positives.
        negative_characters: Lengths of negatives.
        negatives_per_row: Lengths of the negative lists.
        positive_scores: Scores of positives by the miner.
        negative_scores: Scores of negatives by the miner.
        negative_ranks: 0-based ranks of negatives.
        changed_positives: Rows whose positive was relabelled.
        negative_sources: Miner -> negatives from it.
        typical_rows: One per task, by task, at most 6.
    """

    row_counts: tuple[RowCount, ...]
    corpus_counts: dict[str, int]
    query_characters: Quantiles
    positive_characters: Quantiles
    negative_characters: Quantiles
    negatives_per_row: Quantiles
    positive_scores: Quantiles
    negative_scores: Quantiles
    negative_ranks: Quantiles
    changed_positives: int
    negative_sources: dict[str, int]
    typical_rows: tuple[TypicalRow, ...]

    @property
    def rows(self) -> int:
        """Rows in all splits."""
        return sum(entry.rows for entry in self.row_counts)


def compute_statistics(directory: Path) -> DataSetStatistics:
    """Return the statistics of the data set in `directory`; texts are streamed, not collected.

    Raises:
        DataError: If a file is damaged or lacks a column.
    """
    files = layout.parquet_files(directory, layout.DATA)
    rows = scan_examples(files)
    try:
        return DataSetStatistics(
            row_counts=_row_counts(rows),
            corpus_counts=_corpus_counts(layout.parquet_files(directory, layout.CORPUS)),
            query_characters=_spread(rows.select(pl.col("query").str.len_chars())),
            positive_characters=_spread_of_texts(rows, "positives"),
            negative_characters=_spread_of_texts(rows, "negatives"),
            negatives_per_row=_spread(rows.select(pl.col("negative_ids").list.len())),
            positive_scores=_spread(_flat(rows, "positive_scores")),
            negative_scores=_spread(_flat(rows, "negative_scores")),
            negative_ranks=_spread(_flat(rows, "negative_ranks")),
            changed_positives=_changed(rows),
            negative_sources=_counts(_flat(rows, "negative_sources"), "negative_sources"),
            typical_rows=_typical_rows(rows),
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"`{directory}` must hold readable data files, but reading them gave: {error}. "
            "Run the command that wrote it again: damaged files are found and written anew."
        ) from error


def scan_examples(files: list[Path]) -> pl.LazyFrame:
    """Return the rows of data files, lazily; no file gives no rows.

    Raises:
        DataError: If a file is not Parquet with the columns of EXAMPLES.
    """
    for path in files:
        try:
            schema = pq.read_schema(path)
        except (OSError, ValueError) as error:
            raise DataError(
                f"`{path}` must be a readable Parquet file, but reading it gave: {error}. "
                "Delete it and run the command that wrote it again: it is rebuilt."
            ) from error
        missing = [name for name in EXAMPLES.names if name not in schema.names]
        if missing:
            raise DataError(
                f"`{path}` must have the columns of an example row, but lacks {missing}. "
                "Give the directory of a finished data set."
            )
    if not files:
        empty = pl.from_arrow(EXAMPLES.empty_table())
        return pl.DataFrame(empty).lazy()
    return pl.scan_parquet(files)


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    collected = frame.collect(engine="streaming")
    if not isinstance(collected, pl.DataFrame):  # pragma: no cover - only background runs differ
        raise TypeError("a query must give a data frame")
    return collected


def _row_counts(rows: pl.LazyFrame) -> tuple[RowCount, ...]:
    keys = {
        "split": pl.col("split"),
        "task": pl.col("task"),
        "query_language": pl.col("query_language"),
        "positive_language": pl.col("positive_languages").list.first().fill_null("und"),
        "generator": pl.col("provenance").struct.field("generator"),
    }
    counted = _collect(rows.select(**keys).group_by(list(keys)).agg(pl.len().alias("rows")))
    return tuple(RowCount(*row) for row in counted.sort(list(keys)).iter_rows())


def _corpus_counts(files: list[Path]) -> dict[str, int]:
    if not files:
        return {}
    return _counts(pl.scan_parquet(files).select("language"), "language")


def _counts(frame: pl.LazyFrame, name: str) -> dict[str, int]:
    counted = _collect(frame.group_by(name).agg(pl.len()))
    return dict(counted.sort(name).iter_rows())


def _flat(rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
    return rows.select(pl.col(name).explode(empty_as_null=False, keep_nulls=False))


def _spread_of_texts(rows: pl.LazyFrame, name: str) -> Quantiles:
    lengths = pl.col(name).list.eval(pl.element().str.len_chars())
    return _spread(_flat(rows.select(lengths), name))


def _spread(frame: pl.LazyFrame) -> Quantiles:
    """Return the spread of the only column of `frame`; `nearest` makes each figure a real value."""
    column = pl.first()
    points = [
        column.quantile(q, interpolation="nearest").cast(pl.Float64).alias(f"q{q}")
        for q in _QUANTILES
    ]
    count, *values = _collect(frame.select(column.count().alias("n"), *points)).row(0)
    return Quantiles(count, *(0.0 if value is None else value for value in values))


def _changed(rows: pl.LazyFrame) -> int:
    flag = pl.col("provenance").struct.field("positive_was_relabelled")
    return int(_collect(rows.select(flag.sum().alias("n"))).item())


def _typical_rows(rows: pl.LazyFrame) -> tuple[TypicalRow, ...]:
    lengths = rows.select("task", "query_id", length=pl.col("query").str.len_chars())
    middle = pl.col("length").quantile(0.5, interpolation="nearest").over("task")
    nearest = lengths.with_columns(distance=(pl.col("length") - middle).abs())
    ordered = nearest.sort("task", "distance", "query_id")
    ids = _collect(ordered.group_by("task", maintain_order=True).agg(pl.first("query_id")))
    wanted = ids["query_id"].head(_MAX_TYPICAL).to_list()
    found = _collect(
        rows.filter(pl.col("query_id").is_in(wanted)).select(
            "query_id",
            "task",
            "query_language",
            pl.col("provenance").struct.field("generator"),
            "query",
            pl.col("positives").list.first().alias("positive"),
            pl.col("negatives").list.get(0, null_on_oob=True).fill_null("").alias("negative"),
        )
    )
    return tuple(
        TypicalRow(*row[:4], *(_excerpt(text) for text in row[4:]))
        for row in found.sort("task", "query_id").iter_rows()
    )


def _excerpt(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS].rstrip() + " …"
