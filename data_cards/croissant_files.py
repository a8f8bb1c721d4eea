"""Croissant's view of Parquet files: their checksums, and a record set for each table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from data_cards import layout
from data_cards.records import FileRecord
from data_cards.tables import PublishedTable
from sdg.errors import ContractError

Json = dict[str, Any]

_PARQUET = "application/x-parquet"
_TYPES = {
    pa.string(): "sc:Text",
    pa.bool_(): "sc:Boolean",
    pa.int8(): "cr:Int8",
    pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64",
    pa.float32(): "cr:Float32",
    pa.float64(): "cr:Float64",
}


def distribution(files: Mapping[str, FileRecord]) -> list[Json]:
    """Return every file with size and sha256 by path, then one set of files per folder.

    Args:
        files: Path relative to the directory -> record.
    """
    found: list[Json] = [
        {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": path,
            "contentSize": f"{record.bytes} B",
            "encodingFormat": _PARQUET,
            "sha256": record.sha256,
        }
        for path, record in sorted(files.items())
    ]
    # A set that names no container is read beside the metadata file, which works for a folder on
    # disk and for a repository alike.
    found += [
        {
            "@type": "cr:FileSet",
            "@id": _files_of(folder),
            "name": _files_of(folder),
            "encodingFormat": _PARQUET,
            "includes": f"{folder}/*.parquet",
        }
        for folder in _folders(files)
    ]
    return found


def record_sets(
    files: Mapping[str, FileRecord],
    tables: Mapping[str, PublishedTable],
    meanings: Mapping[str, str],
) -> list[Json]:
    """Return a record set for each folder that has files, its fields in the order of the columns.

    Args:
        files: Path relative to the directory -> record.
        tables: Folder -> what its files are.
        meanings: Column, or "column.part" of a struct -> what it holds.

    Raises:
        ContractError: If a column has a type that Croissant cannot tell, or no meaning.
    """
    found = []
    for folder in _folders(files):
        table = tables[folder]
        found.append(
            {
                "@type": "cr:RecordSet",
                "@id": folder,
                "name": folder,
                "description": table.meaning,
                **({"key": {"@id": f"{folder}/{table.key}"}} if table.key else {}),
                "field": [
                    _field(folder, column, {**meanings, **table.meanings})
                    for column in table.schema
                ],
            }
        )
    return found


def _folders(files: Mapping[str, FileRecord]) -> list[str]:
    present = {path.split("/", 1)[0] for path in files}
    return [folder for folder in layout.PUBLISHED_FOLDERS if folder in present]


def _files_of(folder: str) -> str:
    return f"{folder}-files"


def _field(folder: str, column: pa.Field, meanings: Mapping[str, str]) -> Json:
    head = _head(f"{folder}/{column.name}", column.name, _meaning(column.name, meanings))
    source: Json = {
        "fileSet": {"@id": _files_of(folder)},
        "extract": {"column": column.name},
    }
    if pa.types.is_struct(column.type):
        parts = [
            {
                **_head(
                    f"{folder}/{column.name}/{part.name}",
                    part.name,
                    _meaning(f"{column.name}.{part.name}", meanings),
                ),
                "dataType": _type_of(part),
                "source": {**source, "transform": {"jsonPath": f"$.{part.name}"}},
            }
            for part in column.type
        ]
        return {**head, "subField": parts}
    if pa.types.is_list(column.type):
        return {
            **head,
            "dataType": _type_of(column.type.value_field),
            "isArray": True,
            "arrayShape": "-1",
            "source": source,
        }
    return {**head, "dataType": _type_of(column), "source": source}


def _head(identifier: str, name: str, meaning: str) -> Json:
    return {"@type": "cr:Field", "@id": identifier, "name": name, "description": meaning}


def _meaning(name: str, meanings: Mapping[str, str]) -> str:
    try:
        return meanings[name]
    except KeyError as error:
        raise ContractError(
            f"Each published column must have a meaning, but `{name}` has none. Add it to "
            "data_cards/columns.py."
        ) from error


def _type_of(field: pa.Field) -> str:
    try:
        return _TYPES[field.type]
    except KeyError as error:
        raise ContractError(
            f"Column `{field.name}` must have a type that Croissant knows, but has {field.type} "
            "instead. Add it to data_cards/croissant_files.py."
        ) from error
