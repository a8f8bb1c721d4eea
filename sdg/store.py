"""Files that appear complete or not at all: the only place that writes Parquet and JSON.

Every write goes to a temporary name in the same folder, is flushed to disk, renamed, and the folder
is flushed too. Equal tables give equal bytes: fixed compression, row groups and metadata.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sdg.errors import DataError

ROW_GROUP_ROWS = 8192
TEMPORARY_MARK = ".tmp-"
# A file changed so lately could change again without its times showing it.
_SETTLED_NANOSECONDS = 2_000_000_000


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` when the block ends without an exception.

    The temporary file is flushed to disk before the rename and removed if the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}{TEMPORARY_MARK}{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder that becomes `path` when the block ends without an exception.

    Several processes may do so at once: the first to finish wins, and the others' folders are
    removed. What was at `path` before must be gone by then, or it stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}{TEMPORARY_MARK}{uuid.uuid4().hex[:8]}")
    temporary.mkdir()
    try:
        yield temporary
        for part in sorted(temporary.rglob("*")):
            if part.is_dir():
                _flush_folder(part)
                continue
            with part.open("rb") as handle:
                os.fsync(handle.fileno())
        _flush_folder(temporary)
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
        _flush_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder so that nobody finds a part of it: it is renamed first."""
    aside = path.with_name(f"{path.name}{TEMPORARY_MARK}{uuid.uuid4().hex[:8]}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 so that `path` holds all of it or what it held before."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Write `value` as indented JSON with sorted keys and a final line break."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value in `path`.

    Raises:
        DataError: If the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"`{path}` must be a readable JSON file, but reading it gave: {error}. "
            "If Pairmill wrote it, delete it and run the command again: it is rebuilt."
        ) from error


def write_parquet(path: Path, table: pa.Table, *, row_group_rows: int = ROW_GROUP_ROWS) -> None:
    """Write `table` as zstd Parquet with statistics; equal tables give equal bytes."""
    with atomic_path(path) as temporary:
        pq.write_table(
            table.combine_chunks(),
            temporary,
            compression="zstd",
            row_group_size=row_group_rows,
            write_statistics=True,
            store_schema=True,
        )


class ParquetStream:
    """A Parquet file that is written table by table, as `write_parquet` would write it.

    Not atomic: for files inside an `atomic_folder`. Equal tables in equal order give equal bytes.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            path, schema, compression="zstd", write_statistics=True, store_schema=True
        )

    def write(self, table: pa.Table) -> None:
        """Append `table`, whose schema is the stream's."""
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)

    def close(self) -> None:
        """Write what belongs at the end of the file."""
        self._writer.close()


def parquet_blocks(path: Path, columns: list[str], rows: int) -> Iterator[pa.Table]:
    """Yield the table in `path` in blocks of at most `rows` rows; memory is bounded by a block.

    Raises:
        DataError: If the file is missing, damaged, or lacks one of `columns`.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=columns):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"`{path}` must be a readable Parquet file with {columns}, but reading it gave: "
            f"{error}. Check the path, or write the file again."
        ) from error


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return the table in `path`, or only `columns` of it.

    Raises:
        DataError: If the file is missing, damaged, or lacks one of `columns`.
    """
    try:
        return pq.ParquetFile(path).read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"`{path}` must be a readable Parquet file, but reading it gave: {error}. "
            "Check the path, or write the file again."
        ) from error


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """Return `sha256_of(path)`, computed again only if size, times or inode differ.

    Remembered for the life of this process, and not at all for a file that was changed in the last
    two seconds.
    """
    status = path.stat()
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NANOSECONDS:
        return sha256_of(path)
    return _sha256(
        path.absolute(), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    )


def is_whole(manifest: Path, files: Mapping[str, Path]) -> bool:
    """Return whether every file has the sha256 that `manifest` (JSON) holds under its key."""
    try:
        sums = read_json(manifest)
    except DataError:
        return False
    return isinstance(sums, dict) and all(
        file.is_file() and remembered_sha256(file) == sums.get(key) for key, file in files.items()
    )


@functools.lru_cache(maxsize=65_536)
def _sha256(path: Path, *state: int) -> str:
    del state  # part of the key: another state is another file
    return sha256_of(path)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
