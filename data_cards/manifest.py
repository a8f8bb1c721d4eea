"""DIR/manifest.json as a typed model: what a data set was made of, and what became of every row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue, model_validator

from data_cards import layout
from data_cards.manifest_file import checked, read_manifest
from data_cards.privacy import private_values
from data_cards.publication import Publication
from data_cards.records import (
    Cell,
    CellKey,
    DecontaminationRecord,
    EncoderRecord,
    Fact,
    FileRecord,
    JudgeRecord,
    MiningRecord,
    ModelRecord,
    PromptRecord,
    RelabelRecord,
    ReviewRecord,
    Sha256,
    SourceRecord,
    StageRecord,
)
from sdg import store
from sdg.errors import DataError
from sdg.part import Part


class DataSetManifest(Part):
    """Everything about a finished data set that its files alone do not say.

    There is no time stamp, host name or absolute path in it, so that building again gives the same
    bytes. Parsing checks conservation in every stage, between stages, in every cell and in mining.

    Attributes:
        format_version: Of this file and of the data files; see CHANGELOG.md.
        name: Name of the data set, for people.
        pairmill_version: Of the code that wrote it.
        licence: Hugging Face licence identifier of the whole ("cc-by-sa-4.0", "other").
        card: What its publisher says of it.
        config: The resolved configuration, made publishable by `privacy.publishable`.
        fingerprint: Of everything that decided the content.
        seeds: Name -> seed.
        versions: Package -> version, of packages that may change a result.
        sources: Where documents come from.
        models: LLMs that took part; empty if all pairs are natural.
        prompts: Prompt files used.
        encoder: What mined.
        splits: Split -> share asked for; a split may have come out empty.
        stages: In the order they ran.
        cells: Yield per task, languages and generator.
        mining: Rules and drops.
        relabel: Null if positives were not relabelled.
        judge: Null if negatives were not judged.
        review: Null if nobody reviewed the pairs.
        decontamination: Null if nothing was kept out.
        facts: Fallbacks, known problems, notes.
        files: Path -> checksum of every file in data/, corpus/, rejected/, miners/ and reviews/.
    """

    format_version: Literal["0.1.0"] = "0.1.0"
    name: str
    pairmill_version: str
    licence: str
    card: Publication = Publication()
    config: dict[str, JsonValue]
    fingerprint: Sha256
    seeds: dict[str, int]
    versions: dict[str, str]
    sources: tuple[SourceRecord, ...]
    models: tuple[ModelRecord, ...]
    prompts: tuple[PromptRecord, ...]
    encoder: EncoderRecord
    splits: dict[str, float]
    stages: tuple[StageRecord, ...]
    cells: tuple[Cell, ...]
    mining: MiningRecord
    relabel: RelabelRecord | None
    judge: JudgeRecord | None = None
    review: ReviewRecord | None = None
    decontamination: DecontaminationRecord | None = None
    facts: tuple[Fact, ...]
    files: dict[str, FileRecord]

    def to_json(self) -> dict[str, Any]:
        """Return JSON that `load_manifest` reads back to an equal manifest."""
        return self.model_dump(mode="json")

    @property
    def rows(self) -> int:
        """Rows in all data files."""
        return sum(f.rows for p, f in self.files.items() if p.startswith(f"{layout.DATA}/"))

    @model_validator(mode="after")
    def _check_chain(self) -> DataSetManifest:
        for before, after in itertools.pairwise(self.stages):
            if before.unit == after.unit and before.kept != after.rows_in:
                raise ValueError(
                    f"stage {after.name} must be given the {before.kept} {before.unit} that stage "
                    f"{before.name} kept, but was given {after.rows_in}. "
                    "Rows were lost between the two."
                )
        names = [stage.name for stage in self.stages]
        keys = [cell_key(cell) for cell in self.cells]
        for what, values in (("stage", names), ("cell", keys)):
            if len(set(values)) != len(values):
                raise ValueError(f"each {what} must be listed once, but {values} are listed.")
        return self

    @model_validator(mode="after")
    def _check_rows(self) -> DataSetManifest:
        figures = {"kept of all cells": sum(cell.kept for cell in self.cells)}
        if self.stages:
            figures[f"kept of the last stage, {self.stages[-1].name},"] = self.stages[-1].kept
        for name, figure in figures.items():
            if figure != self.rows:
                raise ValueError(
                    f"{name} must equal the rows of the data files ({self.rows}), but is {figure}. "
                    "Rows were lost before they were written."
                )
        return self

    @model_validator(mode="after")
    def _check_privacy(self) -> DataSetManifest:
        found = private_values(self.config)
        if found:
            raise ValueError(
                f"`config` must hold no secret, server address or absolute path, but has some "
                f"under {found}. Pass it through `privacy.publishable`."
            )
        return self


def cell_key(cell: Cell) -> CellKey:
    """Return what tells `cell` from other cells."""
    return CellKey(cell.task, cell.document_language, cell.query_language, cell.generator)


def checked_manifest(fields: Mapping[str, Any]) -> DataSetManifest:
    """Return the manifest with these fields, for the code that builds a data set.

    Raises:
        ContractError: If a field is missing or a law does not hold; the message lists all faults.
    """
    return checked(DataSetManifest, fields)


def load_manifest(directory: Path) -> DataSetManifest:
    """Return the manifest of the data set in `directory`.

    Raises:
        DataError: If there is none, or it is damaged, of another format version, or breaks a law
            that `DataSetManifest` checks.
    """
    return read_manifest(
        DataSetManifest,
        directory,
        "a data set manifest of this version of Pairmill",
        "If the file was edited, run the command that wrote it again; if another version wrote "
        "it, read it with that version; what `pairmill bitext` wrote goes to `pairmill mine "
        "--pairs` first; what `pairmill subsample` wrote is a corpus, for `--corpus`.",
    )


def file_records(directory: Path) -> dict[str, FileRecord]:
    """Return checksum, rows and size of every published Parquet file, by path.

    Raises:
        DataError: If a file is not readable Parquet.
    """
    records = {}
    for folder in layout.PUBLISHED_FOLDERS:
        for path in layout.parquet_files(directory, folder):
            records[f"{folder}/{path.name}"] = FileRecord(
                sha256=store.sha256_of(path), rows=_num_rows(path), bytes=path.stat().st_size
            )
    return records


def _num_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"`{path}` must be a readable Parquet file, but reading it gave: {error}. "
            "Delete it and run the command again: it is rebuilt."
        ) from error
