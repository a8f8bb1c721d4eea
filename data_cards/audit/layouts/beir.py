"""BEIR directories: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from data_cards.audit.audited_set import NEGATIVE, POSITIVE
from data_cards.audit.layouts import LAYOUTS, Layout
from data_cards.audit.source import (
    GIVEN_DOCUMENTS,
    GIVEN_LINKS,
    GIVEN_ROWS,
    Block,
    Source,
    conform,
)
from data_cards.audit.table_files import JSON_LINES, Table, find_tables, read_lines, spelt
from sdg.errors import DataError

_QRELS = ("query-id", "corpus-id", "score")
_TEXT: dict[str, Any] = {"_id": pl.String, "title": pl.String, "text": pl.String}


@LAYOUTS.register("beir")
class Beir(Layout):
    """A row per split and judged query; judgments above 0 are positives, others negatives.

    Grades above 3 count as 3, below 0 as 0. A title stands before its text, with a space, as BEIR's
    own models read them.
    """

    looks_like: ClassVar[str] = (
        "corpus.jsonl and queries.jsonl (with _id and text) and qrels/<split>.tsv"
    )

    def what_is_missing(self, path: Path) -> str:
        """Return "" if corpus, queries and at least one file of judgments are there."""
        missing = [
            *(f"{stem}.jsonl" for stem in ("corpus", "queries") if _file(path, stem) is None),
            *(() if _qrels_files(path) else ("qrels/*.tsv",)),
        ]
        return f"{' and '.join(missing)} are not there" if missing else ""

    def source(self, path: Path) -> Source:
        """Return judged queries; queries and judgments are held in memory, the corpus is not."""
        problem = self.what_is_missing(path)
        corpus, queries = _file(path, "corpus"), _file(path, "queries")
        if problem or corpus is None or queries is None:
            raise DataError(
                f"`{path}` must hold {self.looks_like}, but {problem}. Correct the path."
            )
        for table in (corpus, queries):
            missing = [name for name in ("_id", "text") if name not in table.columns]
            if missing:
                raise DataError(
                    f"`{table.where}` must have the columns _id and text, but {spelt(table)} "
                    "instead. Write it as BEIR does."
                )
        rows, links, unknown = _judged(path, queries)
        notes = ["the layout has no scores and no languages"]
        if unknown:
            notes.append(f"{unknown:,} judgments name no known query and were left out")
        return Source(
            name=path.resolve().name,
            layout=self.name,
            root=path,
            files=(corpus.path, queries.path, *_qrels_files(path)),
            blocks=partial(_blocks, rows, links),
            documents=partial(_documents, corpus),
            has_corpus=True,
            notes=tuple(notes),
        )


def _file(path: Path, stem: str) -> Table | None:
    if not path.is_dir():
        return None
    files = (path / f"{stem}{suffix}" for suffix in JSON_LINES)
    return next((find_tables(file, JSON_LINES)[0] for file in files if file.is_file()), None)


def _qrels_files(path: Path) -> list[Path]:
    return sorted((path / "qrels").glob("*.tsv")) if path.is_dir() else []


def _judged(path: Path, queries: Table) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return the rows, their links with `row` over all of them, and judgments of no query."""
    texts = pl.concat([part.frame for part in read_lines(queries, _TEXT, 1 << 16)])
    texts = texts.select(query_id="_id", query="text").unique(
        "query_id", keep="first", maintain_order=True
    )
    every = pl.concat([_qrels(file) for file in _qrels_files(path)])
    known = every.join(texts, on="query_id", how="semi", maintain_order="left")
    if not known.height:
        raise DataError(
            f"The judgments of `{path / 'qrels'}` must name queries of `{queries.where}`, but none "
            f"of {every.height:,} does. Check that query-id and corpus-id were not swapped."
        )
    keys = known.select("split", "query_id").unique(maintain_order=True)
    rows = keys.join(texts, on="query_id", how="left", maintain_order="left")
    links = known.join(
        keys.with_row_index("row"), on=["split", "query_id"], how="left", maintain_order="left"
    )
    relevance = pl.col("relevance")
    links = links.select(
        pl.col("row").cast(pl.Int64),
        "doc_id",
        text=pl.lit(None, pl.String),
        role=pl.when(relevance > 0).then(POSITIVE).otherwise(NEGATIVE),
        grade=relevance.clip(0, 3),
    ).sort("row", "role", maintain_order=True)
    place = pl.int_range(pl.len(), dtype=pl.Int32).over("row", "role")
    return rows, links.with_columns(place=place), every.height - known.height


def _qrels(file: Path) -> pl.DataFrame:
    try:
        frame = pl.read_csv(file, separator="\t", infer_schema=False, quote_char=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"`{file}` must be tab-separated judgments, but reading it gave: {error}. "
            f"Its first line is {' '.join(_QRELS)}."
        ) from error
    missing = [name for name in _QRELS if name not in frame.columns]
    if missing:
        raise DataError(
            f"`{file}` must have the columns {', '.join(_QRELS)} in its first line, but has "
            f"{', '.join(frame.columns)} instead. Write it as BEIR does."
        )
    score = frame["score"].cast(pl.Int64, strict=False)
    if score.null_count():
        place = score.is_null().arg_max() or 0
        raise DataError(
            f"`score` must be a whole number, but is {frame['score'][place]!r} in line {place + 2} "
            f"of `{file}`. Correct it."
        )
    return frame.select(
        split=pl.lit(file.stem),
        query_id="query-id",
        doc_id="corpus-id",
        relevance=score,
    )


def _blocks(rows: pl.DataFrame, links: pl.DataFrame, block_rows: int) -> Iterator[Block]:
    starts = range(0, rows.height, block_rows)
    bounds = np.searchsorted(links["row"].to_numpy(), [*starts, rows.height]).tolist()
    for number, start in enumerate(starts):
        own = links[bounds[number] : bounds[number + 1]]
        own = own.with_columns(pl.col("row") - start)
        part = rows.slice(start, block_rows).with_columns(pl.col("query").fill_null(""))
        yield Block(conform(part, GIVEN_ROWS), conform(own, GIVEN_LINKS))


def _documents(corpus: Table, block_rows: int) -> Iterator[pl.DataFrame]:
    for lines in read_lines(corpus, _TEXT, block_rows):
        parts: Sequence[str] = [name for name in ("title", "text") if name in lines.frame.columns]
        text = pl.concat_str(
            [pl.col(name).fill_null("") for name in parts], separator=" "
        ).str.strip_chars()
        frame = lines.frame.with_columns(doc_id=pl.col("_id").fill_null(""), text=text)
        yield conform(frame, GIVEN_DOCUMENTS)
