"""What changed between two versions of a data set; texts are compared as hashes, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from data_cards import layout
from data_cards.evidence import AuditEvidence, is_current, read_evidence
from data_cards.manifest import DataSetManifest, load_manifest
from sdg.errors import DataError
from sdg.part import Part
from sdg.schemas import EXAMPLES

_ID = "query_id"
_COLUMNS = [name for name in EXAMPLES.names if name != _ID]
_COUNTED = ("split", "query_language", "task")
# Rows hashed at once: some tens of MiB of texts.
_BLOCK_ROWS = 8192


class Setting(Part):
    """A named value that differs; null where a version does not have it."""

    name: str
    old: JsonValue
    new: JsonValue


class CountChange(Part):
    """Rows of one split, language or task.

    Attributes:
        column: "split", "query_language" or "task".
        value: In that column.
        old: Rows in the old version.
        new: Rows in the new one.
    """

    column: str
    value: str
    old: int
    new: int


class FigureChange(Part):
    """A figure of the audit that differs.

    Attributes:
        figure: `<metric>.<figure>`.
        unit: "share" is a fraction in [0, 1].
        old: Null if the old version's audit does not have it.
        new: Null if the new version's audit does not have it.
        is_beyond_chance: Whether the intervals of both lie apart; null if either has none.
    """

    figure: str
    unit: str
    old: float | None
    new: float | None
    is_beyond_chance: bool | None


class DataSetDiff(Part):
    """Everything that changed.

    Attributes:
        name: Of the new version.
        old_version: "" if it has none.
        new_version: Likewise.
        date_published: Of the new version, or "".
        old_rows: Rows in the old version.
        new_rows: Rows in the new version; `old_rows - removed + added`.
        added: Rows whose id only the new version has.
        removed: Rows whose id only the old version has.
        changed: Rows of both, with at least one other value.
        changed_columns: Column -> changed rows in which it differs, most frequent first.
        counts: Splits, languages and tasks whose number of rows differs.
        documents_added: Documents only the new corpus has.
        documents_removed: Documents only the old corpus has.
        settings: Of the configuration, by dotted key.
        models: Revisions of models, encoder and sources' contents, by role and name.
        prompts: Hashes of prompt files.
        versions: Of packages, and of Pairmill.
        metrics: Figures that moved; empty if `metrics_compared` is false.
        metrics_compared: Whether both versions have an audit of their present files.
    """

    name: str
    old_version: str
    new_version: str
    date_published: str
    old_rows: int
    new_rows: int
    added: int
    removed: int
    changed: int
    changed_columns: dict[str, int]
    counts: tuple[CountChange, ...]
    documents_added: int
    documents_removed: int
    settings: tuple[Setting, ...]
    models: tuple[Setting, ...]
    prompts: tuple[Setting, ...]
    versions: tuple[Setting, ...]
    metrics: tuple[FigureChange, ...]
    metrics_compared: bool

    def to_json(self) -> dict[str, Any]:
        """Return the changes as JSON."""
        return self.model_dump(mode="json")


class RowChanges(NamedTuple):
    """What became of rows; see `DataSetDiff`."""

    added: int
    removed: int
    changed: int
    changed_columns: dict[str, int]


def compare_data_sets(
    old: Path, new: Path, on_rows: Callable[[int], None] = lambda _: None
) -> DataSetDiff:
    """Return what changed from the data set in `old` to that in `new`.

    Memory holds an id and a hash of 8 bytes per row and column, never the texts of more than a
    block. Two values that differ are taken as equal with a chance of 2^-64.

    Args:
        old: Directory of the earlier version.
        new: Directory of the later one.
        on_rows: Called with the number of rows, after every block that was read.

    Raises:
        DataError: If one is no data set, or a file is damaged.
    """
    before, after = load_manifest(old), load_manifest(new)
    old_rows, new_rows = (_hashed_rows(directory, on_rows) for directory in (old, new))
    rows = compare_rows(old_rows, new_rows)
    documents = [set(_documents(directory)) for directory in (old, new)]
    audits = [_current_audit(old, before), _current_audit(new, after)]
    date = after.card.date_published
    return DataSetDiff(
        name=after.name,
        old_version=before.card.version,
        new_version=after.card.version,
        date_published="" if date is None else date.isoformat(),
        old_rows=old_rows.height,
        new_rows=new_rows.height,
        **rows._asdict(),
        counts=_count_changes(old, new),
        documents_added=len(documents[1] - documents[0]),
        documents_removed=len(documents[0] - documents[1]),
        settings=_settings(_flat(before.config), _flat(after.config)),
        models=_settings(_revisions(before), _revisions(after)),
        prompts=_settings(
            {p.path: p.sha256 for p in before.prompts}, {p.path: p.sha256 for p in after.prompts}
        ),
        versions=_settings(
            {"pairmill": before.pairmill_version, **before.versions},
            {"pairmill": after.pairmill_version, **after.versions},
        ),
        metrics=_moved(*audits),
        metrics_compared=None not in audits,
    )


def compare_rows(old: pl.DataFrame, new: pl.DataFrame) -> RowChanges:
    """Return what became of rows.

    Args:
        old: `query_id` and, for each other column, a hash of it.
        new: The same columns.
    """
    both = old.join(new, on=_ID, how="inner", suffix=" (new)")
    differs = both.select(pl.col(name) != pl.col(f"{name} (new)") for name in _COLUMNS)
    per_column = differs.select(pl.all().sum()).row(0, named=True) if both.height else {}
    ordered = sorted((-count, name) for name, count in per_column.items() if count)
    return RowChanges(
        added=new.height - both.height,
        removed=old.height - both.height,
        changed=differs.select(pl.any_horizontal(pl.all()).sum()).item() if both.height else 0,
        changed_columns={name: -count for count, name in ordered},
    )


def _hashed_rows(directory: Path, on_rows: Callable[[int], None]) -> pl.DataFrame:
    hashes = [pl.col(name).hash() for name in _COLUMNS]
    empty = pl.DataFrame(schema={_ID: pl.String, **dict.fromkeys(_COLUMNS, pl.UInt64)})
    blocks = [empty]
    for path in layout.parquet_files(directory, layout.DATA):
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_BLOCK_ROWS, columns=EXAMPLES.names):
                    block = pl.DataFrame(pl.from_arrow(batch))
                    blocks.append(block.select(pl.col(_ID), *hashes))
                    on_rows(block.height)
        except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"`{path}` must be a readable file of rows, but reading it gave: {error}. "
                "Run the command that wrote the data set again: it mends what is damaged."
            ) from error
    return pl.concat(blocks)


def _documents(directory: Path) -> pl.Series:
    files = layout.parquet_files(directory, layout.CORPUS)
    if not files:
        return pl.Series("doc_id", [], pl.String)
    return pl.read_parquet(files, columns=["doc_id"])["doc_id"]


def _count_changes(old: Path, new: Path) -> tuple[CountChange, ...]:
    found = []
    for column in _COUNTED:
        before, after = _counts(old, column), _counts(new, column)
        for value in sorted(before.keys() | after.keys()):
            pair = before.get(value, 0), after.get(value, 0)
            if pair[0] != pair[1]:
                found.append(CountChange(column=column, value=value, old=pair[0], new=pair[1]))
    return tuple(found)


def _counts(directory: Path, column: str) -> dict[str, int]:
    files = layout.parquet_files(directory, layout.DATA)
    if not files:
        return {}
    return dict(pl.read_parquet(files, columns=[column])[column].value_counts().iter_rows())


def _flat(value: JsonValue, key: str = "") -> dict[str, JsonValue]:
    """Return the leaves by dotted key, list items by number; an empty container is a leaf."""
    if isinstance(value, Mapping) and value:
        parts = {f"{key}.{name}" if key else name: item for name, item in value.items()}
    elif isinstance(value, list) and value:
        parts = {f"{key}.{number}": item for number, item in enumerate(value)}
    else:
        return {key: value}
    return {name: leaf for part, item in parts.items() for name, leaf in _flat(item, part).items()}


def _settings(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]
) -> tuple[Setting, ...]:
    names = sorted(before.keys() | after.keys())
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return tuple(Setting(name=n, old=old, new=new) for n, old, new in pairs if old != new)


def _revisions(manifest: DataSetManifest) -> dict[str, JsonValue]:
    return {
        **{f"{model.role} {model.name}": model.revision for model in manifest.models},
        f"encoder {manifest.encoder.name}": manifest.encoder.revision,
        **{f"source {source.name}": source.content for source in manifest.sources},
        "licence": manifest.licence,
    }


def _current_audit(directory: Path, manifest: DataSetManifest) -> AuditEvidence | None:
    audit = read_evidence(directory).audit
    return audit if audit is not None and is_current(audit.files, manifest) else None


def _moved(old: AuditEvidence | None, new: AuditEvidence | None) -> tuple[FigureChange, ...]:
    if old is None or new is None:
        return ()
    before, after = (
        {
            f"{name}.{figure.name}": figure
            for name, metric in audit.metrics.items()
            for figure in metric.figures
        }
        for audit in (old, new)
    )
    found = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        values = [None if figure is None else figure.value for figure in (was, now)]
        if values[0] == values[1]:
            continue
        apart = None
        if was and now and None not in (bounds := (was.low, was.high, now.low, now.high)):
            low, high, new_low, new_high = (float(bound or 0) for bound in bounds)
            apart = high < new_low or new_high < low
        unit = (now or was or after[name]).unit
        found.append(
            FigureChange(
                figure=name, unit=unit, old=values[0], new=values[1], is_beyond_chance=apart
            )
        )
    return tuple(found)
