"""Pairmill's own data sets, and bare Parquet files with the same columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from data_cards import layout
from data_cards.audit.audited_set import NEGATIVE, POSITIVE
from data_cards.audit.layouts import LAYOUTS, Layout
from data_cards.audit.source import (
    GIVEN_DOCUMENTS,
    GIVEN_LINKS,
    GIVEN_ROWS,
    Block,
    Source,
    conform,
    no_documents,
)
from data_cards.audit.table_files import PARQUET, Lines, Table, find_tables, read_lines, spelt
from data_cards.manifest import load_manifest
from sdg.errors import DataError

_LISTS: dict[str, Any] = {
    f"{side}_{what}" if what else f"{side}s": pl.List(kind)
    for side in ("positive", "negative")
    for what, kind in (
        ("ids", pl.String),
        ("", pl.String),
        ("scores", pl.Float32),
        ("languages", pl.String),
        ("ranks", pl.Int64),
        ("sources", pl.String),
    )
}
_COLUMNS: dict[str, Any] = {
    **{
        name: kind
        for name, kind in GIVEN_ROWS.items()
        if name not in {"generator", "original_positive"}
    },
    **_LISTS,
    "relevance": pl.List(pl.Int64),
    "provenance.generator": pl.String,
    "provenance.positive_was_relabelled": pl.Boolean,
    "provenance.original_positive_id": pl.String,
}
_NEEDED = ("query_id", "query", "positive_ids", "positives", "negative_ids", "negatives")


@LAYOUTS.register("pairmill")
class Pairmill(Layout):
    """A directory that Pairmill wrote, or Parquet files with the columns of its rows.

    Of a directory with a manifest, data/ and corpus/ are read. Of other Parquet files, rows: lists
    `positives` and `negatives` with their ids; further columns of the layout are read if there.
    """

    looks_like: ClassVar[str] = (
        f"{layout.MANIFEST} beside {layout.DATA}/, or Parquet with the columns {', '.join(_NEEDED)}"
    )

    def what_is_missing(self, path: Path) -> str:
        """Return "" if there is a manifest or every file of rows has the needed columns."""
        if (path / layout.MANIFEST).is_file() and (path / layout.DATA).is_dir():
            return ""
        tables = _bare_tables(path)
        if not tables:
            return f"neither {layout.MANIFEST} nor Parquet is there"
        return next(filter(None, map(_lacks, tables)), "")

    def source(self, path: Path) -> Source:
        """Return the data set; a bare one has no documents beside those of its rows."""
        manifest = None
        corpus: list[Table] = []
        if (path / layout.MANIFEST).is_file():
            manifest = load_manifest(path)
            tables = find_tables(path / layout.DATA, PARQUET)
            corpus = find_tables(path / layout.CORPUS, PARQUET)
        else:
            tables = _bare_tables(path)
        problem = next(filter(None, map(_lacks, tables)), "" if tables else "no Parquet is there")
        if problem:
            raise DataError(f"`{path}` must hold {self.looks_like}, but {problem}. Write it anew.")
        return Source(
            name=path.resolve().name if manifest is None else manifest.name,
            layout=self.name,
            root=path if path.is_dir() else path.parent,
            files=tuple(table.path for table in (*tables, *corpus)),
            blocks=partial(_blocks, tables),
            documents=partial(_documents, corpus) if corpus else no_documents,
            has_corpus=bool(corpus),
            manifest=manifest,
            folder=str(path) if manifest is not None else "",
        )


def _bare_tables(path: Path) -> list[Table]:
    inner = path / layout.DATA
    return find_tables(inner if inner.is_dir() else path, PARQUET)


def _lacks(table: Table) -> str:
    missing = [name for name in _NEEDED if name not in table.columns]
    return f"{', '.join(missing)} are missing: {spelt(table)}" if missing else ""


def _blocks(tables: Sequence[Table], block_rows: int) -> Iterator[Block]:
    for table in tables:
        for lines in read_lines(table, _COLUMNS, block_rows):
            yield _block(table, lines)


def _block(table: Table, lines: Lines) -> Block:
    named = pl.col("positive_ids", "negative_ids").fill_null([])
    frame = lines.frame.with_columns(named).with_columns(
        *(
            _filled(lines.frame, name, f"{name.partition('_')[0].rstrip('s')}_ids")
            for name in _LISTS
        ),
        _filled(lines.frame, "relevance", "positive_ids", "negative_ids"),
    )
    if "split" not in frame.columns:
        frame = frame.with_columns(split=pl.lit(table.split))
    _check_lengths(table, frame)
    return Block(conform(_provenance(frame), GIVEN_ROWS), _links(frame))


def _filled(frame: pl.DataFrame, name: str, *ids: str) -> pl.Expr:
    """Return the list `name`; where there is none, one null per document."""
    kind = _COLUMNS[name]
    length = pl.sum_horizontal(pl.col(column).list.len() for column in ids)
    blank = pl.lit(None, kind.inner).repeat_by(length)
    given = [name] if name in frame.columns else []
    return pl.coalesce(*given, blank).cast(kind).alias(name)


def _provenance(frame: pl.DataFrame) -> pl.DataFrame:
    columns = {}
    if "provenance.generator" in frame.columns:
        columns["generator"] = pl.col("provenance.generator")
    if "provenance.positive_was_relabelled" in frame.columns:
        columns["original_positive"] = pl.when("provenance.positive_was_relabelled").then(
            pl.col("provenance.original_positive_id")
        )
    return frame.with_columns(**columns)


def _links(frame: pl.DataFrame) -> pl.DataFrame:
    rows = frame.with_row_index("row")
    num_positives = pl.col("positive_ids").list.len()
    grades = pl.col("relevance")
    parts = []
    for side, role in (("positive", POSITIVE), ("negative", NEGATIVE)):
        ids = pl.col(f"{side}_ids")
        lists = {
            "doc_id": ids,
            "text": pl.col(f"{side}s"),
            "language": pl.col(f"{side}_languages"),
            "score": pl.col(f"{side}_scores"),
            "rank": pl.col(f"{side}_ranks"),
            "source": pl.col(f"{side}_sources"),
            "place": pl.int_ranges(0, ids.list.len(), dtype=pl.Int32),
            "grade": grades.list.slice(0, num_positives)
            if role == POSITIVE
            else grades.list.slice(num_positives),
        }
        flat = rows.filter(ids.list.len() > 0).select("row", **lists).explode(list(lists))
        parts.append(flat.with_columns(role=pl.lit(role), score=pl.col("score").fill_nan(None)))
    links = pl.concat(parts).sort("row", "role", "place")
    # Documents are known by id here; one whose text is null has an empty text.
    links = links.with_columns(pl.col("doc_id", "text").fill_null(""))
    return conform(links, GIVEN_LINKS)


def _check_lengths(table: Table, frame: pl.DataFrame) -> None:
    """Refuse rows whose lists do not belong together."""
    num_positives, num_negatives = (
        pl.col("positive_ids").list.len(),
        pl.col("negative_ids").list.len(),
    )
    wanted = {
        name: num_positives if name.startswith("positive") else num_negatives for name in _LISTS
    }
    wanted["relevance"] = num_positives + num_negatives
    for name, length in wanted.items():
        wrong = frame.filter(pl.col(name).list.len() != length)
        if wrong.height:
            raise DataError(
                f"`{name}` must be as long as the ids beside it, but is not in {wrong.height} rows "
                f"of `{table.where}`, first in query {wrong['query_id'][0]!r}. Write the lists of "
                "each row together."
            )


def _documents(tables: Sequence[Table], block_rows: int) -> Iterator[pl.DataFrame]:
    for table in tables:
        if not {"doc_id", "text"} <= set(table.columns):
            raise DataError(
                f"The corpus must have the columns doc_id and text, but {spelt(table)} instead. "
                "Write it anew."
            )
        for lines in read_lines(table, GIVEN_DOCUMENTS, block_rows):
            frame = conform(lines.frame, GIVEN_DOCUMENTS)
            yield frame.with_columns(pl.col("doc_id", "text").fill_null(""))
