"""Texts written by people, to compare a data set's queries with."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data_cards.audit.source import BLOCK_ROWS
from data_cards.audit.table_files import JSON_LINES, PARQUET, find_tables, read_lines, spelt
from sdg.errors import DataError

_COLUMNS = ("query", "text")


def read_reference(path: str) -> tuple[str, ...]:
    """Return the texts in a file, in its order, without blank ones; "" gives none.

    Args:
        path: Parquet or JSON Lines with a column `query` or `text`; else text, one per line.

    Raises:
        DataError: If the file cannot be read, lacks the column, or holds no text.
    """
    if not path:
        return ()
    file = Path(path)
    texts = _of_table(file) if path.lower().endswith((*PARQUET, *JSON_LINES)) else _of_lines(file)
    if not texts:
        raise DataError(f"`{path}` must hold at least one text, but holds none. Correct the path.")
    return tuple(texts)


def _of_table(file: Path) -> list[str]:
    table = find_tables(file, (*PARQUET, *JSON_LINES))[0]
    column = next((name for name in _COLUMNS if name in table.columns), None)
    if column is None:
        raise DataError(
            f"The reference must have a column {' or '.join(_COLUMNS)}, but {spelt(table)} "
            "instead. Rename it."
        )
    parts = read_lines(table, {column: pl.String}, BLOCK_ROWS)
    return [text for part in parts for text in part.frame[column].drop_nulls() if text.strip()]


def _of_lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{file}` must be UTF-8 text, but reading it gave: {error}. Convert it."
        ) from error
