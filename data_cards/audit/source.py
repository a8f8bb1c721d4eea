"""What a layout hands on: rows and documents, block by block, with their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from data_cards.audit.audited_set import DOCUMENTS, LINKS, ROWS
from data_cards.manifest import DataSetManifest

# Rows read at once, own: some 30 MiB of text with seven negatives of 300 characters.
BLOCK_ROWS = 8192

# As ROWS, with the text in place of its place.
GIVEN_ROWS: dict[str, Any] = {**ROWS, "query": pl.String}
# As LINKS, with id and text in place of the document's place.
GIVEN_LINKS: dict[str, Any] = {
    "row": pl.Int32,  # place in the block's rows; ascending
    "doc_id": pl.String,  # null if the layout has none: the text is the document
    "text": pl.String,  # null if it is in the corpus only
    "language": pl.String,
    **{
        name: pl.String if name == "source" else kind
        for name, kind in LINKS.items()
        if name not in {"row", "document"}
    },
}
GIVEN_DOCUMENTS: dict[str, Any] = {**DOCUMENTS, "text": pl.String}


class Block(NamedTuple):
    """Some rows of one file.

    Attributes:
        rows: Schema GIVEN_ROWS, nothing null.
        links: Schema GIVEN_LINKS. One without id and text is an empty place of its row (a null
            negative); it is left out and counted.
    """

    rows: pl.DataFrame
    links: pl.DataFrame


Blocks = Callable[[int], Iterator[Block]]
Documents = Callable[[int], Iterator[pl.DataFrame]]


def no_documents(block_rows: int) -> Iterator[pl.DataFrame]:
    """Return the documents of a layout without a corpus: none."""
    del block_rows
    return iter(())


@dataclass(frozen=True)
class Source:
    """A data set on disk, ready to be read twice.

    Attributes:
        name: For people.
        layout: Registered name of the layout.
        root: What paths of `files` are relative to.
        files: Everything that is read.
        blocks: Rows at once -> all rows by split then file order; the same at every call.
        documents: Rows at once -> the corpus, schema GIVEN_DOCUMENTS, nothing null.
        has_corpus: Whether `documents` gives any.
        merges_queries: Rows of one split with the same query become one row: labelled pairs.
        manifest: Of a Pairmill data set.
        folder: Directory of a Pairmill data set.
        notes: What the layout does not say.
    """

    name: str
    layout: str
    root: Path
    files: tuple[Path, ...]
    blocks: Blocks
    documents: Documents = no_documents
    has_corpus: bool = False
    merges_queries: bool = False
    manifest: DataSetManifest | None = None
    folder: str = ""
    notes: tuple[str, ...] = ()

    def paths(self) -> dict[str, Path]:
        """Return the files by their path relative to `root`, with forward slashes."""
        return {file.relative_to(self.root).as_posix(): file for file in self.files}


def conform(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    """Return the columns of `schema`: strings that are not there are blank, numbers null.

    Null strings become blank, too, except in `text` and `doc_id`, where null has a meaning.
    """
    return frame.select(_column(frame, name, kind) for name, kind in schema.items())


def _column(frame: pl.DataFrame, name: str, kind: Any) -> pl.Expr:  # noqa: ANN401 - a data type
    is_blank = kind == pl.String and name not in {"text", "doc_id"}
    if name not in frame.columns:
        return pl.lit("" if is_blank else None, kind).alias(name)
    column = pl.col(name).cast(kind)
    return column.fill_null("") if is_blank else column
