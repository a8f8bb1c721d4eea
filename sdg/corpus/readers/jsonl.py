"""JSON Lines files, plain or compressed."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import field_validator

from sdg.corpus.columns import NOT_UTF8, TableReader
from sdg.corpus.files import find_files, identity_of_files, name_of, root_of
from sdg.corpus.readers import BATCH_ROWS, READERS
from sdg.corpus.text_files import check_encoding, not_in_encoding
from sdg.errors import DataError

_SUFFIXES = [".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".jsonl.bz2"]
# What the decoder leaves where bytes are not in the encoding.
_UNDECODED = re.compile("[\udc80-\udcff]")


@READERS.register("jsonl")
class JsonLines(TableReader):
    """One JSON object per line; .gz, .zst and .bz2 are read as they are; blank lines are skipped.

    Attributes:
        path: A file, a folder (all *.jsonl, *.ndjson and compressed *.jsonl in it, at any depth) or
            a glob pattern.
        encoding: Of the text in the files.
    """

    path: str
    encoding: str = "utf-8"

    _known_encoding = field_validator("encoding")(check_encoding)

    def batches(self) -> Iterator[pa.Table]:
        """Yield the lines in file order; the key is `file:line`, lines counted from 1.

        Raises:
            DataError: If there is no file, or a line is no JSON object, lacks the text column, has
                a value that is not text, or is not in `encoding` under `on_bad_text: error`.
        """
        root = root_of(self.path)
        for file in find_files(self.path, _SUFFIXES):
            keys: list[str] = []
            rows: list[dict[str, str | None]] = []
            bad: list[bool] = []
            name = name_of(file, root)
            for number, line in _lines(file, self.encoding):
                keys.append(f"{name}:{number}")
                bad.append(_UNDECODED.search(line) is not None)
                rows.append({} if bad[-1] else self._row(line, keys[-1]))
                if bad[-1] and self.on_bad_text == "error":
                    raise not_in_encoding(keys[-1], self.encoding)
                if len(rows) == BATCH_ROWS:
                    yield self._table(rows, keys, bad, name)
                    keys, rows, bad = [], [], []
            yield self._table(rows, keys, bad, name)

    def content_identity(self) -> dict[str, Any]:
        """Return name, size and sha256 of every file."""
        files = find_files(self.path, _SUFFIXES)
        return {"files": identity_of_files(files, root_of(self.path))}

    def _row(self, line: str, where: str) -> dict[str, str | None]:
        """Return the named columns of one line."""
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"`{where}` must be one JSON object, but is not JSON: {error}. "
                "Correct or delete this line."
            ) from error
        if not isinstance(value, Mapping):
            raise DataError(
                f"`{where}` must be one JSON object, but is a {type(value).__name__} instead. "
                'Write each document as {"text": ...} on a line of its own.'
            )
        if self.text_column not in value:
            self.check_columns(list(value), where)
        return {name: _text(value.get(name), name, where) for name in self.columns()}

    def _table(
        self, rows: list[dict[str, str | None]], keys: list[str], bad: list[bool], name: str
    ) -> pa.Table:
        schema = pa.schema([(column, pa.string()) for column in self.columns()])
        raw = self.to_raw(pa.Table.from_pylist(rows, schema=schema), keys, name)
        reasons = [NOT_UTF8 if is_bad else "" for is_bad in bad]
        details = [f"this line is not in {self.encoding}" if is_bad else "" for is_bad in bad]
        place = raw.schema.get_field_index("reason")
        raw = raw.set_column(place, raw.schema.field("reason"), pa.array(reasons, pa.string()))
        place = raw.schema.get_field_index("detail")
        return raw.set_column(place, raw.schema.field("detail"), pa.array(details, pa.string()))


def _lines(file: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank with their numbers, decompressed by file name."""
    number = 0
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            # A line ends at \n only: JSON strings may hold other line separators.
            text = io.TextIOWrapper(
                io.BufferedReader(stream), encoding, errors="surrogateescape", newline="\n"
            )
            for number, line in enumerate(text, start=1):
                if line.strip("\ufeff \t\r\n"):
                    yield number, line.lstrip("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{file}` must be a readable file, but reading it after line {number} gave: {error}. "
            "Copy or compress the file again."
        ) from error


def _text(value: object, name: str, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise DataError(
            f"Column `{name}` of `{where}` must hold text, but holds {str(value)[:80]!r} of type "
            f"{type(value).__name__} instead. Name another column, or write this one as a string."
        )
    # JSON can escape half a character, which no Arrow string can hold.
    return value.encode("utf-8", "ignore").decode("utf-8")
