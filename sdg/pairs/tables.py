"""Rows of files or of a Hugging Face data set, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from sdg.corpus.files import find_files, identity_of_files, name_of, root_of
from sdg.corpus.hub import HubRows
from sdg.errors import DataError
from sdg.part import Part

Choose = Callable[[Sequence[str], str], Sequence[str]]

BATCH_ROWS = 8192
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".jsonl.bz2")
SUFFIXES = (".parquet", *_LINES, ".json")


class Batch(NamedTuple):
    """Some rows.

    Attributes:
        rows: The columns that were asked for and are there.
        where: What messages call the file or data set.
        first_row: 0-based, over the whole source.
    """

    rows: pa.Table
    where: str
    first_row: int


class TableSource(Part):
    """Where rows with named columns are.

    Attributes:
        path: A Parquet, JSON Lines (plain, .gz, .zst, .bz2) or JSON file (a list of objects); a
            folder of such files; a glob pattern; a Hugging Face data set on disk or on the hub.
        format: "files", "huggingface", or "auto": a folder with a README.md or written by
            `save_to_disk` is a data set, and so is what is no path here but looks like one there.
        subset: Of a Hugging Face data set; "" for its default one.
        split: Of a Hugging Face data set.
        revision: On the hub; "" for the newest. What it points to is recorded.
    """

    path: str
    format: Literal["auto", "files", "huggingface"] = "auto"
    subset: str = ""
    split: str = "train"
    revision: str = ""

    def batches(self, columns: Choose) -> Iterator[Batch]:
        """Yield all rows in order, 1 to `BATCH_ROWS` at a time.

        Args:
            columns: Names of the columns there, and what the file is called -> those to read;
                asked once per file, and raises if one is missing. In JSON the names are those of
                the first rows.

        Raises:
            DataError: If there is no such file or data set, or it cannot be read.
            BackendError: If the hub does not answer.
        """
        row = 0
        for where, tables in self._parts(columns):
            for table in tables:
                if table.num_rows:
                    yield Batch(table, where, row)
                row += table.num_rows

    def content_identity(self) -> dict[str, Any]:
        """Return JSON of what pins the content; where it lies is not part of it.

        Raises:
            DataError: If there is no such file or data set.
            BackendError: If the hub does not answer.
        """
        if self._is_data_set():
            return {**self._hub().content_identity(), "subset": self.subset, "split": self.split}
        return {"files": identity_of_files(self.files(), root_of(self.path))}

    def files(self) -> list[Path]:
        """Return the files, for a source that is no data set."""
        return find_files(self.path, SUFFIXES)

    def _is_data_set(self) -> bool:
        if self.format != "auto":
            return self.format == "huggingface"
        place = Path(self.path)
        if place.is_dir():
            marks = ("README.md", "state.json", "dataset_dict.json")
            return any((place / mark).is_file() for mark in marks)
        is_hub_name = self.path.count("/") == 1 and not self.path.endswith(SUFFIXES)
        is_pattern = any(sign in self.path for sign in "*?[")
        return is_hub_name and not is_pattern and not place.exists() and not place.is_absolute()

    def _hub(self) -> HubRows:
        return HubRows(self.path, self.subset, self.split, self.revision)

    def _parts(self, columns: Choose) -> Iterator[tuple[str, Iterator[pa.Table]]]:
        if self._is_data_set():
            where = f"{self.path} ({self.split})"
            yield where, _chosen(self._hub().batches(BATCH_ROWS), columns, where)
            return
        root = root_of(self.path)
        for file in self.files():
            yield name_of(file, root), _read(file, columns, name_of(file, root))


def _read(file: Path, columns: Choose, where: str) -> Iterator[pa.Table]:
    name = file.name.lower()
    if name.endswith(".parquet"):
        return _read_parquet(file, columns, where)
    if name.endswith(_LINES):
        return _chosen(_tables(_lines(file), file), columns, where)
    if name.endswith(".json"):
        return _chosen(_tables(_objects(file), file), columns, where)
    raise DataError(
        f"`{file}` must be one of {', '.join(SUFFIXES)}, but is not, by its name. Convert it, or "
        "rename it."
    )


def _chosen(tables: Iterator[pa.Table], columns: Choose, where: str) -> Iterator[pa.Table]:
    """Yield the wanted columns; those of rows without them are left out."""
    wanted: Sequence[str] | None = None
    for table in tables:
        if not table.num_rows:
            continue
        if wanted is None:
            wanted = columns(table.column_names, where)
        yield table.select([name for name in wanted if name in table.column_names])


def _read_parquet(file: Path, columns: Choose, where: str) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(file) as parquet:
            wanted = list(columns(parquet.schema_arrow.names, where))
            for batch in parquet.iter_batches(BATCH_ROWS, columns=wanted):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"`{file}` must be a readable Parquet file, but reading it gave: {error}. "
            "Copy or write the file again."
        ) from error


def _lines(file: Path) -> Iterator[Any]:
    number = 0
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            for line in _split_lines(stream):
                number += 1
                if line.strip():
                    yield json.loads(line)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"`{file}` must hold one JSON object per line, in UTF-8, but line {number} gave: "
            f"{error}. Correct or delete it."
        ) from error


def _split_lines(stream: pa.NativeFile) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(1 << 20):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    yield rest


def _objects(file: Path) -> Iterator[Any]:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"`{file}` must be a JSON list of objects, but reading it gave: {error}. "
            "Correct the file, or write one object per line into a .jsonl file."
        ) from error
    if not isinstance(value, list):
        raise DataError(
            f"`{file}` must be a JSON list of objects, but is a {type(value).__name__} instead. "
            "Write [{...}, {...}], or one object per line into a .jsonl file."
        )
    yield from value


def _tables(values: Iterator[Any], file: Path) -> Iterator[pa.Table]:
    rows: list[Mapping[str, Any]] = []
    for number, value in enumerate(values, start=1):
        if not isinstance(value, Mapping):
            raise DataError(
                f"`{file}` must hold JSON objects, but entry {number} is a "
                f"{type(value).__name__} instead. Write each row as {{...}}."
            )
        rows.append(value)
        if len(rows) == BATCH_ROWS:
            yield _table(rows, file, number)
            rows = []
    yield _table(rows, file, 0)


def _table(rows: Sequence[Mapping[str, Any]], file: Path, last: int) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, UnicodeEncodeError) as error:
            raise DataError(
                f"Column `{name}` of `{file}` must hold values of one kind, but rows up to "
                f"{last or 'the last'} gave: {error}. Write the same kind in every row."
            ) from error
    return pa.table(columns)
