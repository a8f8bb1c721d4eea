"""Every promise of a finished data set directory, checked on the files themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_cards import layout, verify_rows
from data_cards.descriptions import describe
from data_cards.manifest import DataSetManifest, cell_key, load_manifest
from data_cards.problem import Problem
from data_cards.records import CellKey
from data_cards.tables import TABLES
from sdg import store
from sdg.errors import DataError, PairmillError

__all__ = ["Problem", "verify_counts", "verify_data_set"]


def verify_data_set(directory: Path) -> list[Problem]:
    """Return what is wrong with the data set in `directory`; an empty list if nothing is.

    Checked are checksums and schemas; counts of manifest and files; card and Croissant; and in
    every row: aligned lists, texts as in the corpus, no positive among the negatives by id, text,
    near-equal text or entity, and no group in two splits. Damaged files hide the checks after them.

    Returns:
        One problem per broken promise and place, in the order of checking.
    """
    try:
        manifest = load_manifest(directory)
    except PairmillError as error:
        return [Problem("manifest", str(error))]
    problems = verify_counts(directory, manifest)
    if any(problem.check != "conservation" for problem in problems):
        return problems
    problems += verify_rows.check_rows(directory, manifest)
    problems += _descriptions(directory, manifest)
    return problems


def verify_counts(directory: Path, manifest: DataSetManifest) -> list[Problem]:
    """Return what is wrong with checksums, schemas and counts; no text is looked at.

    Damaged files hide the counts.
    """
    problems = list(_files(directory, manifest))
    if problems:
        return problems
    return [*_rejected_counts(directory, manifest), *_cell_counts(directory, manifest)]


def _files(directory: Path, manifest: DataSetManifest) -> Iterator[Problem]:
    present = {
        f"{folder}/{path.name}": path
        for folder in layout.PUBLISHED_FOLDERS
        for path in layout.parquet_files(directory, folder)
    }
    for name in sorted(present.keys() - manifest.files.keys()):
        yield Problem("files", f"{name} is not listed in the manifest.")
    for name, record in sorted(manifest.files.items()):
        path = present.get(name)
        if path is None:
            yield Problem("files", f"{name} is listed in the manifest but missing.")
            continue
        digest = store.sha256_of(path)
        if (digest, path.stat().st_size) != (record.sha256, record.bytes):
            yield Problem(
                "files",
                f"{name} must have sha256 {record.sha256} and {record.bytes} bytes, but has "
                f"{digest} and {path.stat().st_size}.",
            )
            continue
        yield from _schema(name, path, record.rows)


def _schema(name: str, path: Path, num_rows: int) -> Iterator[Problem]:
    expected = TABLES[name.split("/", 1)[0]].schema
    try:
        metadata, schema = pq.read_metadata(path), pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        yield Problem("schema", f"{name} must be readable Parquet, but reading it gave: {error}.")
        return
    if not schema.equals(expected):
        differ = sorted(set(map(str, schema)) ^ set(map(str, expected)))
        yield Problem("schema", f"{name} must have its schema, but differs in {differ}.")
    if metadata.num_rows != num_rows:
        yield Problem(
            "files", f"{name} must have {num_rows} rows, but has {metadata.num_rows} instead."
        )


def _rejected_counts(directory: Path, manifest: DataSetManifest) -> Iterator[Problem]:
    stated = {
        (stage.name, reason): count
        for stage in manifest.stages
        for reason, count in stage.rejected.items()
        if count
    }
    counted: Counter[tuple[str, str]] = Counter()
    for path in layout.parquet_files(directory, layout.REJECTED):
        frame = pl.read_parquet(path, columns=["stage", "reason"])
        for stage, reason, count in frame.group_by("stage", "reason").agg(pl.len()).iter_rows():
            counted[(stage, reason)] += count
    for key in sorted(stated.keys() | counted.keys()):
        if stated.get(key, 0) != counted[key]:
            yield Problem(
                "conservation",
                f"stage {key[0]} must have {stated.get(key, 0)} rows rejected as {key[1]}, as the "
                f"manifest says, but rejected/ holds {counted[key]}.",
            )


def _cell_counts(directory: Path, manifest: DataSetManifest) -> Iterator[Problem]:
    stated = {cell_key(cell): cell.kept for cell in manifest.cells if cell.kept}
    documents = pl.DataFrame(schema={"doc_id": pl.String, "language": pl.String})
    for path in layout.parquet_files(directory, layout.CORPUS):
        documents = documents.vstack(pl.read_parquet(path, columns=documents.columns))
    counted: Counter[CellKey] = Counter()
    for path in layout.parquet_files(directory, layout.DATA):
        frame = pl.read_parquet(path, columns=["task", "query_language", "provenance"])
        frame = frame.unnest("provenance").join(
            documents, left_on="source_doc_id", right_on="doc_id", how="left"
        )
        keys = frame.group_by("task", "language", "query_language", "generator").agg(pl.len())
        for row in keys.iter_rows():
            counted[CellKey(*row[:4])] += row[4]
    for key in sorted(stated.keys() | counted.keys(), key=str):
        if stated.get(key, 0) != counted[key]:
            yield Problem(
                "conservation",
                f"cell {'/'.join(map(str, key))} must have {stated.get(key, 0)} rows, as the "
                f"manifest says, but data/ holds {counted[key]}.",
            )


def _descriptions(directory: Path, manifest: DataSetManifest) -> Iterator[Problem]:
    try:
        rendered = describe(directory, manifest)
    except DataError as error:
        # What lies in audit/ is another command's, and may be damaged while the rows are whole.
        yield Problem("card", str(error))
        return
    for name, expected in rendered.items():
        path = directory / name
        if path.is_file():
            yield from _difference(name, expected, path.read_text(encoding="utf-8"))
        else:
            yield Problem("card", f"{name} is missing.")


def _difference(name: str, expected: str, actual: str) -> Iterator[Problem]:
    if expected == actual:
        return
    lines = expected.splitlines(), actual.splitlines()
    for number, (wanted, found) in enumerate(zip(*lines, strict=False), start=1):
        if wanted != found:
            yield Problem(
                "card",
                f"line {number} of {name} must be {wanted!r}, as manifest and files say, but is "
                f"{found!r}. Run `pairmill card`.",
            )
            return
    yield Problem(
        "card",
        f"{name} must have {len(lines[0])} lines and nothing after them, but has "
        f"{len(lines[1])}. Run `pairmill card`.",
    )
