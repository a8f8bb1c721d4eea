"""What sentence-transformers trains on: a column per text, pairs, triplets, n-tuples, labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import polars as pl

from data_cards.audit.audited_set import NEGATIVE, POSITIVE
from data_cards.audit.layouts import LAYOUTS, Layout
from data_cards.audit.source import GIVEN_LINKS, GIVEN_ROWS, Block, Source, conform
from data_cards.audit.table_files import (
    JSON_LINES,
    PARQUET,
    Lines,
    Table,
    find_tables,
    is_list,
    is_text,
    is_text_list,
    read_lines,
    spelt,
)
from sdg.errors import DataError

QUERY = ("anchor", "query", "question", "sentence1", "sentence_A")
POSITIVES = (
    "positive",
    "answer",
    "response",
    "passage",
    "document",
    "sentence2",
    "sentence_B",
)
LISTS = ("documents", "docs", "passages")
LABELS = ("label", "labels", "score", "scores", "similarity_score")
_NEGATIVE = re.compile(r"negatives?|negative_?(\d+)")
# Read as they are where a file has them.
_BESIDE = ("query_id", "query_language", "instruction", "task", "group_id")


class _Columns(NamedTuple):
    """Which column is what.

    Attributes:
        query: The query's.
        positive: One text; "" where there is a list.
        documents: A list of texts with labels; "" where there is none.
        negatives: In the order of their numbers, "negative" first.
        labels: A number, or a list of them; "" if there is none.
    """

    query: str
    positive: str
    documents: str
    negatives: tuple[str, ...]
    labels: str


@LAYOUTS.register("sentence_transformers")
class SentenceTransformers(Layout):
    """Parquet or JSON Lines with a column of queries, one of positives, and any of negatives.

    A list of numbers beside texts is one score each. A number beside a pair, and each number beside
    a list of documents, is a label: above 0 the document is a positive, else a negative; whole
    numbers from 0 to 3 throughout a file are grades, others scores; a document without a label is
    left out. Labelled pairs of one query are one row. The split is the file's or folder's name.
    """

    looks_like: ClassVar[str] = (
        f"Parquet or JSON Lines with one column of {'|'.join(QUERY)} and one of "
        f"{'|'.join((*POSITIVES, *LISTS))}"
    )

    def what_is_missing(self, path: Path) -> str:
        """Return "" if every file has a column of queries and one of positives."""
        tables = find_tables(path, (*PARQUET, *JSON_LINES))
        if not tables:
            return "neither Parquet nor JSON Lines are there"
        return next(filter(None, (_lacks(_columns(table), table) for table in tables)), "")

    def source(self, path: Path) -> Source:
        """Return the rows, named by file and line unless a column `query_id` names them."""
        problem = self.what_is_missing(path)
        if problem:
            raise DataError(
                f"`{path}` must hold {self.looks_like}, but {problem}. Rename the columns."
            )
        tables = find_tables(path, (*PARQUET, *JSON_LINES))
        found = [_columns(table) for table in tables]
        notes = ["the layout has no ids of documents: equal texts are one document"]
        if any(
            c.negatives and c.labels and not is_list(t.columns[c.labels])
            for c, t in zip(found, tables, strict=True)
        ):
            notes.append("one number beside several texts is a margin and was not read")
        elif not any(c.labels for c in found):
            notes.append("the layout has no scores")
        return Source(
            name=path.resolve().name,
            layout=self.name,
            root=path if path.is_dir() else path.parent,
            files=tuple(table.path for table in tables),
            blocks=partial(_blocks, tables),
            merges_queries=any(_is_labelled_pair(c) for c in found),
            notes=tuple(notes),
        )


def _columns(table: Table) -> _Columns:
    kinds = table.columns
    negatives = [name for name in kinds if _NEGATIVE.fullmatch(name)]
    negatives = [n for n in negatives if is_text(kinds[n]) or is_text_list(kinds[n])]
    return _Columns(
        query=next((n for n in QUERY if is_text(kinds.get(n))), ""),
        positive=next((n for n in POSITIVES if is_text(kinds.get(n))), ""),
        documents=next((n for n in LISTS if is_text_list(kinds.get(n))), ""),
        negatives=tuple(sorted(negatives, key=_number)),
        labels=next((n for n in LABELS if n in kinds), ""),
    )


def _number(name: str) -> int:
    found = _NEGATIVE.fullmatch(name)
    return int(found[1]) if found and found[1] else -1


def _is_labelled_pair(columns: _Columns) -> bool:
    return bool(columns.labels and columns.positive and not columns.negatives)


def _lacks(columns: _Columns, table: Table) -> str:
    missing = [
        what
        for what, found in (
            ("a column of queries", columns.query),
            ("a column of positives", columns.positive or columns.documents),
            (
                "a list of labels beside the list of documents",
                columns.positive
                or not columns.documents
                or (columns.labels and is_list(table.columns[columns.labels])),
            ),
        )
        if not found
    ]
    return f"{' and '.join(missing)} is missing: {spelt(table)}" if missing else ""


def _blocks(tables: Sequence[Table], block_rows: int) -> Iterator[Block]:
    for table in tables:
        columns = _columns(table)
        wanted: dict[str, Any] = {
            name: pl.String for name in _BESIDE if is_text(table.columns.get(name))
        }
        texts = (columns.query, columns.positive, columns.documents, *columns.negatives)
        for name in filter(None, texts):
            is_one = is_text(table.columns[name])
            wanted[name] = pl.String if is_one else pl.List(pl.String)
        if columns.labels:
            is_each = is_list(table.columns[columns.labels])
            wanted[columns.labels] = pl.List(pl.Float64) if is_each else pl.Float64
        is_graded = _is_graded(table, columns, wanted, block_rows)
        for lines in read_lines(table, wanted, block_rows):
            yield _block(table, columns, lines, is_graded=is_graded)


def _is_graded(table: Table, columns: _Columns, wanted: Mapping[str, Any], block_rows: int) -> bool:
    """Return whether every label of a file is a grade, 0 to 3."""
    if not columns.labels:
        return False
    kind = {columns.labels: wanted[columns.labels]}
    for lines in read_lines(table, kind, block_rows):
        labels = lines.frame[columns.labels]
        flat = labels.explode() if isinstance(labels.dtype, pl.List) else labels
        if not flat.drop_nulls().is_in([0.0, 1.0, 2.0, 3.0]).all():
            return False
    return True


def _block(table: Table, columns: _Columns, lines: Lines, *, is_graded: bool) -> Block:
    named = pl.concat_str(pl.lit(f"{table.where}:"), lines.numbers.cast(pl.String))
    frame = lines.frame.with_columns(
        query=pl.col(columns.query),
        query_id=pl.coalesce("query_id", named) if "query_id" in lines.frame.columns else named,
        split=pl.lit(table.split),
        line=lines.numbers,
    )
    if columns.positive:
        links = _tuple_links(frame, columns)
    else:
        links = _list_links(table, frame, columns, is_graded=is_graded)
    if _is_labelled_pair(columns) and not isinstance(frame.schema[columns.labels], pl.List):
        links = _by_label(links, is_graded=is_graded)
    return Block(conform(frame, GIVEN_ROWS), conform(links, GIVEN_LINKS))


def _tuple_links(frame: pl.DataFrame, columns: _Columns) -> pl.DataFrame:
    """Return one link per text: the positive, then the negatives in the order of the columns."""
    negatives = [
        pl.col(name) if isinstance(frame.schema[name], pl.List) else pl.concat_list(name)
        for name in columns.negatives
    ]
    lists = {
        "text": pl.concat_list(columns.positive, *[n.fill_null([]) for n in negatives]),
    }
    num_texts = lists["text"].list.len()
    if columns.labels:
        given = pl.col(columns.labels)
        if not isinstance(frame.schema[columns.labels], pl.List):
            given = pl.concat_list(given)
        none = pl.lit(None, pl.Float64).repeat_by(num_texts)
        # Fewer numbers than texts are margins, which are no scores.
        lists["score"] = pl.when(given.list.len() == num_texts).then(given).otherwise(none)
    lists["place"] = pl.int_ranges(0, num_texts, dtype=pl.Int32) - 1
    flat = frame.with_row_index("row").select("row", **lists).explode(list(lists))
    role = pl.when(pl.col("place") < 0).then(POSITIVE).otherwise(NEGATIVE)
    return flat.with_columns(role=role, place=pl.col("place").clip(0))


def _list_links(
    table: Table, frame: pl.DataFrame, columns: _Columns, *, is_graded: bool
) -> pl.DataFrame:
    """Return one link per document of a list, by its label, positives first."""
    texts, labels = pl.col(columns.documents), pl.col(columns.labels)
    sizes = (texts.list.len().fill_null(0), labels.list.len().fill_null(0))
    wrong = frame.filter(sizes[0] != sizes[1])
    if wrong.height:
        raise DataError(
            f"`{columns.labels}` must be as long as `{columns.documents}`, but is not in line "
            f"{wrong['line'][0]} of `{table.where}`. Write one label for each text."
        )
    rows = frame.with_row_index("row").filter(texts.list.len() > 0)
    flat = rows.select("row", text=texts, score=labels).explode("text", "score")
    links = _by_label(flat, is_graded=is_graded).sort("row", "role", maintain_order=True)
    place = pl.int_range(pl.len(), dtype=pl.Int32).over("row", "role")
    return links.with_columns(place=place)


def _by_label(links: pl.DataFrame, *, is_graded: bool) -> pl.DataFrame:
    """Return links whose role, grade and score are those of the label in `score`.

    A document without a label is neither positive nor negative: it becomes an empty place.
    """
    label = pl.col("score")
    return links.with_columns(
        text=pl.when(label.is_not_null()).then("text"),
        role=pl.when(label > 0).then(POSITIVE).otherwise(NEGATIVE),
        grade=label if is_graded else pl.lit(None, pl.Float64),
        score=pl.lit(None, pl.Float64) if is_graded else label,
    )
