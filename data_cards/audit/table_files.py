"""Tables of foreign files, a block at a time, with errors that name file, column and line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from sdg.errors import DataError

JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".jsonl.bz2")
PARQUET = (".parquet",)

# Read at once from JSON Lines, own: some thousand rows with eight documents each.
_CHUNK_BYTES = 16 << 20
# Lines looked at to learn the columns of a file.
_FIRST_LINES = 100
_SPLIT = re.compile(
    r"(?:^|[-_.])(train|validation|valid|val|development|dev|evaluation|eval|test)(?:[-_.]|$)",
    re.IGNORECASE,
)
_SPLITS = {
    "valid": "validation",
    "val": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "development": "dev",
}
# Folders of ids that lie beside the texts, line for line, in Pairmill's exports.
_ASIDE = {"ids"}


class Table(NamedTuple):
    """One file of rows.

    Attributes:
        path: The file.
        split: From its name, or a folder's name; "train" if neither says.
        where: Its path below the data set, for ids and messages.
        columns: Name -> type; a field of a struct as `struct.field`, too.
    """

    path: Path
    split: str
    where: str
    columns: Mapping[str, pa.DataType]


class Lines(NamedTuple):
    """Some rows of a file.

    Attributes:
        frame: The wanted columns; those that the file lacks are left out.
        numbers: (rows,) for people: the line in JSON Lines, the row in Parquet; both from 1.
    """

    frame: pl.DataFrame
    numbers: pl.Series


def find_tables(path: Path, suffixes: Sequence[str]) -> list[Table]:
    """Return the files of rows in `path`, itself or in it at any depth, by split and name.

    Hidden files and folders, and folders called `ids`, are left alone.

    Raises:
        DataError: If one cannot be read.
    """
    if path.is_file():
        files = [path] if path.name.lower().endswith(tuple(suffixes)) else []
        root = path.parent
    else:
        root = path
        files = sorted(
            file
            for file in path.rglob("*")
            if file.name.lower().endswith(tuple(suffixes))
            and file.is_file()
            and not any(part[0] == "." or part in _ASIDE for part in file.relative_to(path).parts)
        )
    tables = [
        Table(file, split_of(file.relative_to(root)), str(file.relative_to(root)), _columns(file))
        for file in files
    ]
    return sorted(tables, key=lambda table: table.split)


def split_of(path: Path) -> str:
    """Return the split that a file's name, or else the nearest folder's name, speaks of."""
    for name in (path.name, *reversed(path.parts[:-1])):
        found = _SPLIT.search(name)
        if found:
            split = found[1].lower()
            return _SPLITS.get(split, split)
    return "train"


def read_lines(table: Table, wanted: Mapping[str, Any], block_rows: int) -> Iterator[Lines]:
    """Yield up to `block_rows` rows at a time.

    Args:
        table: The file.
        wanted: Column -> Polars type: String, Float32, Int64, or a list of them.
        block_rows: Rows at once.

    Raises:
        DataError: If the file is damaged, a line is no JSON object, or a column holds another type.
    """
    known = {name: kind for name, kind in wanted.items() if name in table.columns}
    blocks = _json_lines if table.path.name.lower().endswith(JSON_LINES) else _parquet_rows
    for rows, numbers in blocks(table, known, block_rows):
        frame = pl.DataFrame(pl.from_arrow(rows))
        yield Lines(_checked(frame, known, table.where), pl.Series("line", numbers, pl.Int64))


def is_text(kind: pa.DataType | None) -> bool:
    """Return whether a column holds text, or nothing at all."""
    if kind is not None and pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kind is not None and (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def is_list(kind: pa.DataType | None) -> bool:
    """Return whether a column holds lists."""
    return kind is not None and (pa.types.is_list(kind) or pa.types.is_large_list(kind))


def is_text_list(kind: pa.DataType | None) -> bool:
    """Return whether a column holds lists of text."""
    return kind is not None and is_list(kind) and is_text(kind.value_type)


def spelt(table: Table) -> str:
    """Return a file's columns with their types, for messages."""
    shown = {name: kind for name, kind in table.columns.items() if "." not in name}
    columns = ", ".join(f"{name} ({kind})" for name, kind in shown.items())
    return f"{table.where} has the columns {columns or 'none'}"


def _columns(file: Path) -> dict[str, pa.DataType]:
    if file.name.lower().endswith(PARQUET):
        try:
            schema = pq.read_schema(file)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(file, error) from error
        columns = dict(zip(schema.names, schema.types, strict=True))
        for name, kind in tuple(columns.items()):
            if pa.types.is_struct(kind):
                columns |= {f"{name}.{field.name}": field.type for field in kind}
        return columns
    state = file.stat()
    return dict(_json_columns(file, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=64)
def _json_columns(file: Path, _size: int, _changed: int) -> tuple[tuple[str, pa.DataType], ...]:
    """Return the columns of a whole file: one may begin far down. Each layout asks; read once."""
    found: dict[str, pa.DataType] = {}
    late: list[bytes] = []
    size = 0
    for place, (number, line) in enumerate(_numbered(file)):
        if place < _FIRST_LINES:
            for name, value in _object(file, number, line).items():
                kind = _kind(value)
                if name not in found or not pa.types.is_null(kind):
                    found[name] = kind
            continue
        late.append(line)
        size += len(line)
        if size >= _CHUNK_BYTES:
            _add_late(found, late)
            late, size = [], 0
    _add_late(found, late)
    return tuple(found.items())


def _add_late(found: dict[str, pa.DataType], lines: Sequence[bytes]) -> None:
    """Add columns that these lines are the first to fill; damaged lines are told of later."""
    if not lines:
        return
    data = b"\n".join(lines)
    blocks = pj.ReadOptions(use_threads=False, block_size=len(data) + 1)
    try:
        schema = pj.read_json(io.BytesIO(data), read_options=blocks).schema
    except pa.ArrowInvalid:
        return
    for field in schema:
        known = found.get(field.name, pa.null())
        if pa.types.is_null(known) or known == pa.list_(pa.null()):
            found[field.name] = field.type


def _kind(value: Any) -> pa.DataType:  # noqa: ANN401 - any JSON value
    """Return the type of a value as messages and layouts need it: texts, numbers, lists of them."""
    if isinstance(value, list):
        inner = next((v for v in value if v is not None), None)
        return pa.list_(_kind(inner))
    kinds: dict[type, pa.DataType] = {
        str: pa.string(),
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        type(None): pa.null(),
    }
    return kinds.get(type(value), pa.struct([]))


def _parquet_rows(
    table: Table, wanted: Mapping[str, Any], block_rows: int
) -> Iterator[tuple[pa.Table, Sequence[int]]]:
    number = 1
    try:
        # Without a buffer a whole column of a row group is read at once.
        with pq.ParquetFile(table.path, buffer_size=1 << 20) as parquet:
            for batch in parquet.iter_batches(block_rows, columns=list(wanted)):
                batch.validate(full=True)
                rows = pa.Table.from_batches([batch]).flatten()
                yield rows, range(number, number + rows.num_rows)
                number += rows.num_rows
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(table.path, error) from error


def _json_lines(
    table: Table, wanted: Mapping[str, Any], block_rows: int
) -> Iterator[tuple[pa.Table, Sequence[int]]]:
    schema = pa.schema([(name, _arrow(kind)) for name, kind in wanted.items()])
    lines: list[bytes] = []
    numbers: list[int] = []
    size = 0
    for number, line in _numbered(table.path):
        lines.append(line)
        numbers.append(number)
        size += len(line)
        if len(lines) == block_rows or size >= _CHUNK_BYTES:
            yield _parsed(table.path, lines, numbers, schema), numbers
            lines, numbers, size = [], [], 0
    if lines:
        yield _parsed(table.path, lines, numbers, schema), numbers


def _parsed(
    file: Path, lines: Sequence[bytes], numbers: Sequence[int], schema: pa.Schema
) -> pa.Table:
    try:
        found = _parse(b"\n".join(lines), schema)
        if found.num_rows == len(lines):
            return found
    except pa.ArrowInvalid:
        pass  # found again below, with its line
    for number, line in zip(numbers, lines, strict=True):
        _object(file, number, line)
        try:
            _parse(line, schema)
        except pa.ArrowInvalid as error:
            wanted = ", ".join(
                f"{name} ({kind})" for name, kind in zip(schema.names, schema.types, strict=True)
            )
            raise DataError(
                f"Line {number} of `{file}` must hold {wanted}, but reading it gave: {error}. "
                "Correct or delete it."
            ) from error
    raise DataError(
        f"`{file}` must hold one JSON object per line, but lines {numbers[0]} to {numbers[-1]} "
        "hold more or fewer instead. Put each object on a line of its own."
    )


def _parse(data: bytes, schema: pa.Schema) -> pa.Table:
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    # One block, so that no object lies across the border of two.
    blocks = pj.ReadOptions(use_threads=False, block_size=len(data) + 1)
    table = pj.read_json(io.BytesIO(data), read_options=blocks, parse_options=options)
    table.validate(full=True)
    return table


def _numbered(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank with their numbers from 1, decompressed by file name."""
    number = 0
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            for number, line in enumerate(io.BufferedReader(stream, 1 << 20), start=1):
                whole = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if not whole.isspace() and whole:
                    yield number, whole.rstrip(b"\r\n")
    except OSError as error:
        raise DataError(
            f"`{file}` must be a readable file, but reading it after line {number} gave: {error}. "
            "Copy or compress the file again."
        ) from error


def _object(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"Line {number} of `{file}` must be one JSON object in UTF-8, but reading it gave: "
            f"{error}. Correct or delete it."
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"Line {number} of `{file}` must be one JSON object, but is a "
            f"{type(value).__name__} instead. Write each row as {{...}}."
        )
    return value


def _arrow(kind: Any) -> pa.DataType:  # noqa: ANN401 - a Polars type
    if isinstance(kind, pl.List):
        return pa.list_(_arrow(kind.inner))
    return pa.string() if kind == pl.String else pa.float64()


def _checked(frame: pl.DataFrame, wanted: Mapping[str, Any], where: str) -> pl.DataFrame:
    for name, kind in wanted.items():
        found = frame.schema[name]
        if not _fits(found, kind):
            raise DataError(
                f"Column `{name}` of `{where}` must hold {kind}, but holds {found} instead. "
                "Check that no columns or files were swapped, or write it anew."
            )
    try:
        return frame.select(pl.col(name).cast(kind) for name, kind in wanted.items())
    except pl.exceptions.InvalidOperationError as error:
        raise DataError(
            f"`{where}` must hold {dict(wanted)}, but converting it gave: {error}. Write it anew."
        ) from error


def _fits(found: Any, kind: Any) -> bool:  # noqa: ANN401 - Polars types
    if found == pl.Null:
        return True
    if isinstance(kind, pl.List):
        return isinstance(found, pl.List) and _fits(found.inner, kind.inner)
    if kind == pl.String:
        return found in (pl.String, pl.Categorical) or isinstance(found, pl.Enum)
    return bool(found.is_numeric()) or found == pl.Boolean


def _unreadable(file: Path, error: Exception) -> DataError:
    return DataError(
        f"`{file}` must be a readable Parquet file, but reading it gave: {error}. "
        "Copy or write the file again."
    )
