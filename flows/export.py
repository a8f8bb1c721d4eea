"""`pairmill export DIR`: a finished data set as files for one trainer."""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from data_cards import layout, licences
from data_cards.exports import EXPORTS, Export, Facts
from data_cards.exports.readme import render_readme
from data_cards.exports.record import README as EXPORT_README
from data_cards.exports.record import RECORD, ExportRecord, is_whole, load_record
from data_cards.exports.selection import COLUMNS
from data_cards.exports.tally import Tally
from data_cards.manifest import DataSetManifest, file_records, load_manifest
from flows.export_files import ExportFiles
from flows.progress import StageProgress, stage_progress
from flows.settings import parse_settings, read_settings
from sdg import store
from sdg.errors import ConfigError, DataError
from sdg.ids import fingerprint

# Rows in memory at once; 1,024 rows of 25 texts of 2,000 characters are 50 MB.
_BLOCK_ROWS = 1024
_ROW_COLUMNS = [*COLUMNS, "split"]
_DOCUMENT_COLUMNS = ["doc_id", "title", "text"]


class ExportOutcome(NamedTuple):
    """What became of a data set.

    Attributes:
        directory: Of the export.
        record: What its export.json holds.
        was_current: True if the directory was already what was asked for.
    """

    directory: Path
    record: ExportRecord
    was_current: bool

    def to_json(self) -> dict[str, Any]:
        """Return the outcome for `--json`."""
        return {
            "directory": str(self.directory),
            "was_current": self.was_current,
            "record": self.record.to_json(),
        }


class _Found(NamedTuple):
    """What is where the export goes; a damaged or foreign version's export has no record."""

    record: ExportRecord | None
    is_export: bool


class _Source(NamedTuple):
    """What is exported, and all that decides the result."""

    directory: Path
    manifest: DataSetManifest
    manifest_sha256: str
    splits: Mapping[str, Sequence[Path]]
    export: Export

    @property
    def fingerprint(self) -> str:
        decisive = {
            "export": self.export.identity(),
            "manifest": self.manifest_sha256,
            "splits": list(self.splits),
            "pairmill": importlib.metadata.version("pairmill"),
        }
        return fingerprint(decisive)


def export_data_set(
    directory: Path,
    name: str,
    out: Path | None = None,
    *,
    splits: Sequence[str] = (),
    overrides: Sequence[str] = (),
    overwrite: bool = False,
) -> ExportOutcome:
    """Write the data set in `directory` as files for one trainer.

    The export appears complete or not at all. The same export with damaged files is mended.

    Args:
        directory: A finished data set; it is only read.
        name: Registered name of the format.
        out: Where the files go; None: beside `directory`, with the format after its name.
        splits: Which to export; none means all.
        overrides: Settings of the format, `key=value`.
        overwrite: Replace an export at `out` that is another one, or whose record is damaged.

    Raises:
        ConfigError: If a setting cannot work, or `out` holds something else.
        DataError: If `directory` is no whole data set, no row is left, or the record at `out` is
            damaged.
    """
    export = parse_settings(read_settings(None, overrides), "--set", EXPORTS[name])
    source = _open(directory, export, splits)
    target = out or directory.with_name(f"{directory.resolve().name}-{name}")
    found = _found(target, directory, overwrite=overwrite)
    is_same = found.record is not None and found.record.fingerprint == source.fingerprint
    if found.record and is_same and is_whole(target, found.record):
        return ExportOutcome(target, found.record, was_current=True)
    is_mending = found.record is not None and is_same and _has_no_other(target, found.record)
    is_free = not target.exists() or not any(target.iterdir())
    if not (is_free or is_mending or (found.is_export and overwrite)):
        raise ConfigError(
            f"`--out` must be free, but {target} holds "
            f"{'another export' if found.is_export else 'something else'}. "
            f"Give another path{', or --overwrite to replace it' if found.is_export else ''}."
        )
    with store.atomic_folder(target) as folder:
        record = _write(folder, source)
        if found.is_export:
            store.remove_folder(target)
    return ExportOutcome(target, record, was_current=False)


def _open(directory: Path, export: Export, wanted: Sequence[str]) -> _Source:
    manifest = load_manifest(directory)
    if file_records(directory) != manifest.files:
        raise DataError(
            f"`{directory}` must hold exactly the files in its manifest, but some are missing, "
            "added or changed. Run the command that wrote it again: it mends what is damaged."
        )
    splits = defaultdict(list)
    for path in layout.parquet_files(directory, layout.DATA):
        splits[layout.split_of(path.name)].append(path)
    unknown = [split for split in wanted if split not in splits]
    if unknown:
        raise ConfigError(
            f"`--split` must be one of {', '.join(splits)}, but is {unknown[0]!r} instead. "
            "Correct the name, or leave the option out to export all."
        )
    chosen = {name: files for name, files in splits.items() if not wanted or name in wanted}
    digest = store.sha256_of(directory / layout.MANIFEST)
    return _Source(directory, manifest, digest, chosen, export)


def _found(target: Path, source: Path, *, overwrite: bool) -> _Found:
    """Return what is at `target`; a record that cannot be read stops whoever keeps it."""
    if target.resolve().is_relative_to(source.resolve()):
        raise ConfigError(
            f"`--out` must be outside the data set, but {target} is inside {source}. "
            "Give another path."
        )
    if target.exists() and not target.is_dir():
        raise ConfigError(
            f"`--out` must be a directory, but {target} is a file instead. Give another path."
        )
    if not (target / RECORD).is_file():
        return _Found(None, is_export=False)
    try:
        return _Found(load_record(target), is_export=True)
    except DataError:
        if not overwrite:
            raise
        return _Found(None, is_export=True)


def _has_no_other(target: Path, record: ExportRecord) -> bool:
    """Return whether the folder holds nothing but the export, so that mending loses nothing."""
    known = {*record.files, EXPORT_README, RECORD}
    files = (path for path in target.rglob("*") if not path.is_dir())
    return all(path.relative_to(target).as_posix() in known for path in files)


def _write(folder: Path, source: _Source) -> ExportRecord:
    export, manifest = source.export, source.manifest
    total = sum(
        manifest.files[f"{layout.DATA}/{path.name}"].rows
        for paths in source.splits.values()
        for path in paths
    )
    with stage_progress("export", "rows", total) as bar, ExportFiles(folder, export) as files:
        tallies, instructions = _write_rows(files, source, bar)
        documents = _write_documents(files, source)
    _check_not_empty(tallies)
    facts = Facts(manifest.name, manifest.fingerprint, instructions)
    small = export.small_files(facts)
    for path, value in small.items():
        store.write_json(folder / path, value)
        files.add(path, 1)
    record = _record(source, tallies, documents, files)
    store.write_json(folder / RECORD, record.to_json())
    configurations = export.configurations(list(source.splits))
    store.write_text(folder / EXPORT_README, render_readme(record, configurations, export.advice()))
    return record


def _write_rows(
    files: ExportFiles, source: _Source, bar: StageProgress
) -> tuple[dict[str, Tally], dict[str, list[str]]]:
    """Return each split's tally and distinct instructions."""
    tallies, instructions = {}, {}
    for split, paths in source.splits.items():
        tally, seen = Tally(), set()
        for place, path in enumerate(paths):
            shard = f"{place:05d}-of-{len(paths):05d}"
            for block in _blocks(path, _ROW_COLUMNS):
                mapped = source.export.map_rows(block)
                for output, lines in mapped.lines.items():
                    files.write(output, split, shard, lines)
                tally += mapped.tally
                seen.update(pc.unique(block["instruction"]).to_pylist())
                bar.advance(block.num_rows)
            files.close_shard(split, shard)
        tallies[split], instructions[split] = tally, sorted(seen)
    return tallies, instructions


def _write_documents(files: ExportFiles, source: _Source) -> int | None:
    if not source.export.document_outputs:
        return None
    count = 0
    outputs = source.export.outputs()
    for path in layout.parquet_files(source.directory, layout.CORPUS):
        for block in _blocks(path, _DOCUMENT_COLUMNS):
            count += block.num_rows
            for output, lines in source.export.map_documents(block).items():
                per_split = "{split}" in outputs[output].path
                for split in source.splits if per_split else ("",):
                    files.write(output, split, "", lines)
    return count


def _blocks(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yield a file's rows; a file without rows gives one empty block, so that it has a file."""
    is_empty = True
    for block in store.parquet_blocks(path, columns, _BLOCK_ROWS):
        is_empty = False
        yield block
    if is_empty:
        yield store.read_parquet(path, columns)


def _check_not_empty(tallies: Mapping[str, Tally]) -> None:
    whole = sum(tallies.values(), Tally())
    if not whole.rows.written:
        reasons = ", ".join(f"{reason} {n}" for reason, n in whole.rows.left_out.items())
        documents = ", ".join(
            f"{reason} {n}"
            for side in (whole.positives, whole.negatives)
            for reason, n in side.left_out.items()
        )
        raise DataError(
            f"At least one row must be left to write, but all {whole.rows.given} are left out: "
            f"rows {reasons or 'none'}; documents {documents or 'none'}. Change the settings."
        )


def _record(
    source: _Source, tallies: Mapping[str, Tally], documents: int | None, files: ExportFiles
) -> ExportRecord:
    return ExportRecord(
        format=source.export.name,
        settings=source.export.identity(),
        trainer=source.export.trainer,
        pairmill_version=importlib.metadata.version("pairmill"),
        fingerprint=source.fingerprint,
        source_name=source.manifest.name,
        source_fingerprint=source.manifest.fingerprint,
        source_manifest_sha256=source.manifest_sha256,
        licence=source.manifest.licence,
        notices=licences.notices(source.manifest),
        splits={split: tally.to_json() for split, tally in tallies.items()},
        documents=documents,
        files=files.records(),
    )
