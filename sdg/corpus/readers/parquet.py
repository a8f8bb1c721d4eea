"""Parquet files: one, a folder of them, or a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sdg.corpus.columns import TableReader
from sdg.corpus.files import find_files, identity_of_files, name_of, root_of
from sdg.corpus.readers import BATCH_ROWS, READERS
from sdg.errors import DataError


@READERS.register("parquet")
class ParquetFiles(TableReader):
    """Rows of Parquet files, read batch by batch, the named columns only.

    Attributes:
        path: A file, a folder (all *.parquet in it, at any depth) or a glob pattern.
    """

    path: str

    def batches(self) -> Iterator[pa.Table]:
        """Yield the rows in file order; the key is `file:row`.

        Raises:
            DataError: If there is no file, one is damaged, or a column is missing or not text.
        """
        root = root_of(self.path)
        for file in find_files(self.path, [".parquet"]):
            yield from self._read_file(file, name_of(file, root))

    def content_identity(self) -> dict[str, Any]:
        """Return name, size and sha256 of every file."""
        files = find_files(self.path, [".parquet"])
        return {"files": identity_of_files(files, root_of(self.path))}

    def num_documents(self) -> int:
        """Return the rows that the files' footers tell."""
        root = root_of(self.path)
        return sum(
            self._num_rows(file, name_of(file, root))
            for file in find_files(self.path, [".parquet"])
        )

    def _num_rows(self, file: Path, name: str) -> int:
        try:
            metadata = pq.read_metadata(file)
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"`{file}` must be a readable Parquet file, but reading its footer gave: {error}. "
                "Copy or write the file again."
            ) from error
        self.check_columns(metadata.schema.to_arrow_schema().names, name)
        return int(metadata.num_rows)

    def _read_file(self, file: Path, name: str) -> Iterator[pa.Table]:
        row = 0
        try:
            with pq.ParquetFile(file) as parquet:
                columns = self.check_columns(parquet.schema_arrow.names, name)
                for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                    keys = [f"{name}:{row + place}" for place in range(batch.num_rows)]
                    row += batch.num_rows
                    yield self.to_raw(pa.Table.from_batches([batch]), keys, name)
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"`{file}` must be a readable Parquet file, but reading it after row {row} gave: "
                f"{error}. Copy or write the file again."
            ) from error
