"""export.json: what an export says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from data_cards.licences import Notice
from data_cards.records import Count, Sha256
from sdg import store
from sdg.errors import DataError
from sdg.part import Part

RECORD = "export.json"
README = "README.md"


class ExportedFile(Part):
    """A file of an export.

    Attributes:
        sha256: Of its bytes.
        bytes: Its size.
        lines: Rows of a Parquet file or lines of a text file, without a header; 1 for JSON.
    """

    sha256: Sha256
    bytes: Count
    lines: Count


class ExportRecord(Part):
    """What was exported, from what, how, and what became of every row.

    Attributes:
        format: Registered name.
        settings: Of the format; with its name and version all that decides the files.
        trainer: Whose format it is.
        pairmill_version: Of the code that wrote it.
        fingerprint: Of everything that decided the files.
        source_name: Name of the data set, for people.
        source_fingerprint: Of the data set.
        source_manifest_sha256: Of its manifest.json.
        licence: Of the data set as a whole.
        notices: Whose rights are in it.
        splits: Split -> `Tally` as JSON: rows, positives and negatives in = written + left out.
        documents: Documents of the corpus written; null if the format writes none.
        files: Path -> checksum of every file but README.md and export.json.
    """

    format: str
    settings: dict[str, JsonValue]
    trainer: str
    pairmill_version: str
    fingerprint: Sha256
    source_name: str
    source_fingerprint: Sha256
    source_manifest_sha256: Sha256
    licence: str
    notices: tuple[Notice, ...]
    splits: dict[str, dict[str, Any]]
    documents: Count | None
    files: dict[str, ExportedFile]

    def to_json(self) -> dict[str, Any]:
        """Return JSON that `load_record` reads back to an equal record."""
        return self.model_dump(mode="json")


def load_record(directory: Path) -> ExportRecord:
    """Return what the export in `directory` says about itself.

    Raises:
        DataError: If it says nothing, or something else.
    """
    value = store.read_json(directory / RECORD)
    try:
        return ExportRecord.model_validate(value)
    except ValidationError as error:
        raise DataError(
            f"`{directory / RECORD}` must be the record of an export, but is not: "
            f"{error.errors()[0]['msg']}. Export again with --overwrite."
        ) from error


def is_whole(directory: Path, record: ExportRecord) -> bool:
    """Return whether every file is there with the checksum that `record` has for it."""
    return (directory / README).is_file() and all(
        (directory / name).is_file() and store.sha256_of(directory / name) == file.sha256
        for name, file in record.files.items()
    )
