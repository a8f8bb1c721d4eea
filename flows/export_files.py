"""The files of an export while they grow: one writer per file, block after block."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Protocol

import polars as pl
import pyarrow as pa

from data_cards.exports import Export, Kind, Output
from data_cards.exports.record import ExportedFile
from sdg import store

# Line breaks to `str.splitlines` and many editors, but not to JSON, which lets them stand.
_BREAKS = {"\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class _Writer(Protocol):
    def write(self, lines: pl.DataFrame) -> None: ...

    def close(self) -> None: ...


class ExportFiles:
    """The files of one export, opened when their first lines come.

    Use as a context manager; leaving it closes what is open.
    """

    def __init__(self, folder: Path, export: Export) -> None:
        self._folder = folder
        self._outputs = export.outputs()
        self._open: dict[str, _Writer] = {}
        self._lines = Counter[str]()

    def __enter__(self) -> ExportFiles:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close every file."""
        self.close_matching("")

    def write(self, output: str, split: str, shard: str, lines: pl.DataFrame) -> None:
        """Append lines to the file of an output; an empty frame makes an empty file."""
        kind = self._outputs[output].kind
        path = _path(self._outputs[output], split, shard)
        if path not in self._open:
            self._open[path] = _writer(kind, self._folder / path, lines)
        self._open[path].write(lines)
        self._lines[path] += lines.height

    def close_shard(self, split: str, shard: str) -> None:
        """Close the files that hold one shard only."""
        for output in self._outputs.values():
            if "{shard}" in output.path:
                self.close_matching(_path(output, split, shard))

    def close_matching(self, beginning: str) -> None:
        """Close the open files whose path begins so."""
        for path in [path for path in self._open if path.startswith(beginning)]:
            self._open.pop(path).close()

    def add(self, path: str, lines: int) -> None:
        """Count a file that somebody else wrote into the folder."""
        self._lines[path] = lines

    def records(self) -> dict[str, ExportedFile]:
        """Return every file by path; all must be closed."""
        return {
            path: ExportedFile(
                sha256=store.sha256_of(self._folder / path),
                bytes=(self._folder / path).stat().st_size,
                lines=lines,
            )
            for path, lines in sorted(self._lines.items())
        }


class _ParquetWriter:
    def __init__(self, path: Path, lines: pl.DataFrame) -> None:
        self._schema = _plain(lines.to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
        self._stream = store.ParquetStream(path, self._schema)

    def write(self, lines: pl.DataFrame) -> None:
        if lines.height:
            table = lines.to_arrow(compat_level=pl.CompatLevel.oldest())
            self._stream.write(table.cast(self._schema))

    def close(self) -> None:
        self._stream.close()


class _TextWriter:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # newline="": nothing inside a line may be changed.
        self._file = path.open("w", encoding="utf-8", newline="")

    def write(self, lines: pl.DataFrame) -> None:
        if not lines.height:
            return
        objects = lines.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        escaped = objects.str.replace_many(list(_BREAKS), list(_BREAKS.values()))
        self._file.write("\n".join(escaped.to_list()) + "\n")

    def close(self) -> None:
        self._file.close()


class _TableWriter(_TextWriter):
    def __init__(self, path: Path, lines: pl.DataFrame) -> None:
        super().__init__(path)
        self._file.write("\t".join(lines.columns) + "\n")

    def write(self, lines: pl.DataFrame) -> None:
        self._file.write(lines.write_csv(separator="\t", include_header=False))


def _writer(kind: Kind, path: Path, lines: pl.DataFrame) -> _Writer:
    if kind == "parquet":
        return _ParquetWriter(path, lines)
    return _TextWriter(path) if kind == "jsonl" else _TableWriter(path, lines)


def _path(output: Output, split: str, shard: str) -> str:
    return output.path.format(split=split, shard=shard)


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema with the 32-bit types that every reader of Parquet gives back."""
    return pa.schema([(field.name, _plain_type(field.type)) for field in schema])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _plain_type(field.type)) for field in kind])
    return kind
