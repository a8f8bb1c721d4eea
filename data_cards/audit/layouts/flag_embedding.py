"""FlagEmbedding's training files: JSON Lines with `query`, `pos`, `neg`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from data_cards.audit.audited_set import NEGATIVE, POSITIVE
from data_cards.audit.layouts import LAYOUTS, Layout
from data_cards.audit.source import GIVEN_LINKS, GIVEN_ROWS, Block, Source, conform
from data_cards.audit.table_files import (
    JSON_LINES,
    Lines,
    Table,
    find_tables,
    is_text,
    read_lines,
    spelt,
)
from sdg.errors import DataError

_TEXTS = pl.List(pl.String)
_SCORES = pl.List(pl.Float32)
_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "query": pl.String,
    "prompt": pl.String,
    "query_prompt": pl.String,
    "pos": _TEXTS,
    "neg": _TEXTS,
    "pos_id": _TEXTS,
    "neg_id": _TEXTS,
    "pos_scores": _SCORES,
    "neg_scores": _SCORES,
}
_NEEDED = ("query", "pos")


@LAYOUTS.register("flag_embedding")
class FlagEmbedding(Layout):
    """JSON Lines with `query`, `pos` and, if there, `neg`, `pos_scores`, `neg_scores`, `prompt`.

    `pos_id` and `neg_id` name the documents; without them the text is the document. Scores must be
    as many as texts.
    """

    looks_like: ClassVar[str] = "JSON Lines with the columns query (text), pos and neg (lists)"

    def what_is_missing(self, path: Path) -> str:
        """Return "" if every file has `query` and `pos`."""
        tables = find_tables(path, JSON_LINES)
        return next(filter(None, map(_lacks, tables)), "") if tables else "no JSON Lines are there"

    def source(self, path: Path) -> Source:
        """Return the rows; a row is named by its `id`, or by file and line."""
        tables = find_tables(path, JSON_LINES)
        problem = self.what_is_missing(path)
        if problem:
            raise DataError(f"`{path}` must hold {self.looks_like}, but {problem}. Write it anew.")
        names = {name for table in tables for name in table.columns}
        return Source(
            name=path.resolve().name,
            layout=self.name,
            root=path if path.is_dir() else path.parent,
            files=tuple(table.path for table in tables),
            blocks=partial(_blocks, tables),
            notes=() if names & {"pos_scores", "neg_scores"} else ("the layout has no scores",),
        )


def _lacks(table: Table) -> str:
    missing = [name for name in _NEEDED if name not in table.columns]
    return f"{', '.join(missing)} are missing: {spelt(table)}" if missing else ""


def _blocks(tables: Sequence[Table], block_rows: int) -> Iterator[Block]:
    for table in tables:
        # A name that is a number names nothing: the row is named by file and line.
        wanted = {
            name: kind
            for name, kind in _COLUMNS.items()
            if name != "id" or is_text(table.columns.get(name))
        }
        for lines in read_lines(table, wanted, block_rows):
            yield _block(table, lines)


def _block(table: Table, lines: Lines) -> Block:
    named = pl.concat_str(pl.lit(f"{table.where}:"), lines.numbers.cast(pl.String))
    frame = lines.frame.with_columns(
        query_id=pl.coalesce("id", named) if "id" in lines.frame.columns else named,
        split=pl.lit(table.split),
        line=lines.numbers,
    )
    prompts = [pl.col(name) for name in ("query_prompt", "prompt") if name in frame.columns]
    if prompts:
        frame = frame.with_columns(instruction=pl.coalesce(prompts))
    links = [
        _links(table, frame, side, role)
        for side, role in (("pos", POSITIVE), ("neg", NEGATIVE))
        if side in frame.columns
    ]
    return Block(conform(frame, GIVEN_ROWS), pl.concat(links).sort("row", "role", "place"))


def _links(table: Table, frame: pl.DataFrame, side: str, role: int) -> pl.DataFrame:
    texts = pl.col(side).fill_null([])
    lists = {"text": texts, "place": pl.int_ranges(0, texts.list.len(), dtype=pl.Int32)}
    for name, target in ((f"{side}_id", "doc_id"), (f"{side}_scores", "score")):
        if name in frame.columns:
            _check_length(table, frame, name, texts)
            # A row may have none: then each document has none.
            none = pl.lit(None).repeat_by(texts.list.len()).cast(_COLUMNS[name])
            lists[target] = pl.coalesce(name, none)
    rows = frame.with_row_index("row").filter(texts.list.len() > 0)
    flat = rows.select("row", **lists).explode(list(lists)).with_columns(role=pl.lit(role))
    return conform(flat, GIVEN_LINKS)


def _check_length(table: Table, frame: pl.DataFrame, name: str, texts: pl.Expr) -> None:
    wrong = frame.filter(pl.col(name).list.len() != texts.list.len())
    if wrong.height:
        raise DataError(
            f"`{name}` must be as long as the texts beside it, but is not in line "
            f"{wrong['line'][0]} of `{table.where}`. Write one for each text, or none."
        )
