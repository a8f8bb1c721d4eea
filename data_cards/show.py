"""Rows of a finished data set for people: kept, or rejected with stage and reason."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from data_cards import layout
from data_cards.escape import printable
from data_cards.manifest import DataSetManifest, load_manifest
from sdg import store
from sdg.errors import ConfigError
from sdg.schemas import EXAMPLES, REJECTIONS

__all__ = ["describe_row", "kept_rows", "printable", "rejected_content", "rejected_rows"]

_MAX_CHARACTERS = 400
# What people look for in a rejected row stands before where it came from.
_FIRST = ("query", "raw_reply", "reasoning", "text")


def kept_rows(directory: Path, *, split: str | None = None, limit: int = 10) -> pa.Table:
    """Return the first `limit` finished rows, schema EXAMPLES, in file order.

    Args:
        directory: A data set directory.
        split: Only this split.
        limit: Rows at most.

    Raises:
        ConfigError: If the data set has no such split, or `limit` is below 1.
        DataError: If the directory is no data set, or a file is damaged.
    """
    _check_limit(limit)
    manifest = load_manifest(directory)
    if split is not None and split not in manifest.splits:
        raise _unknown("split", split, list(manifest.splits))
    paths = layout.parquet_files(directory, layout.DATA)
    own = [p for p in paths if split is None or layout.split_of(p.name) == split]
    return _first(own, EXAMPLES, limit, {})


def rejected_rows(
    directory: Path, *, stage: str | None = None, reason: str | None = None, limit: int = 10
) -> pa.Table:
    """Return the first `limit` rejected rows, schema REJECTIONS, in file order.

    Args:
        directory: A data set directory.
        stage: Only rows that stopped at this stage.
        reason: Only rows that stopped for this reason.
        limit: Rows at most.

    Returns:
        No row if the stage exists but rejected none.

    Raises:
        ConfigError: If there is no such stage or reason, or `limit` is below 1.
        DataError: If the directory is no data set, or a file is damaged.
    """
    _check_limit(limit)
    manifest = load_manifest(directory)
    stages = {record.name: record.rejected for record in manifest.stages}
    if stage is not None and stage not in stages:
        raise _unknown("stage", stage, list(stages))
    reasons = _reasons(manifest, stage)
    if reason is not None and reason not in reasons:
        raise _unknown("reason", reason, reasons)
    wanted = {"stage": stage, "reason": reason}
    conditions = {name: value for name, value in wanted.items() if value is not None}
    paths = layout.parquet_files(directory, layout.REJECTED)
    return _first(paths, REJECTIONS, limit, conditions)


def describe_row(row: Mapping[str, object]) -> str:
    """Return one row as `name: value` lines, safe for a terminal; long values are cut and say so.

    Lists are shown one entry a line with their number, a struct one field a line, and so is the
    JSON of a rejected row, what was said first.
    """
    content = rejected_content(row)
    return "\n".join(_lines({**row, "row": content} if content else row, ""))


def rejected_content(row: Mapping[str, object]) -> dict[str, object]:
    """Return the JSON of a row of REJECTIONS with what was said first; {} for other rows."""
    if "row_id" not in row:
        return {}
    content: dict[str, object] = json.loads(str(row["row"]))
    first = {name: content[name] for name in _FIRST if name in content}
    return {**first, **content}


def _lines(row: Mapping[str, object], indent: str) -> Iterator[str]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield f"{indent}{printable(name)}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{printable(name)}:" + ("" if value else " none")
            yield from (f"{indent}  [{i}] {_short(item)}" for i, item in enumerate(value))
        else:
            yield f"{indent}{printable(name)}: {_short(value)}"


def _short(value: object) -> str:
    text = printable("null" if value is None else str(value))
    if len(text) <= _MAX_CHARACTERS:
        return text
    return f"{text[:_MAX_CHARACTERS]}… ({len(text) - _MAX_CHARACTERS} more characters)"


def _reasons(manifest: DataSetManifest, stage: str | None) -> list[str]:
    records = [r for r in manifest.stages if stage is None or r.name == stage]
    return sorted({reason for record in records for reason in record.rejected})


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ConfigError(
            f"`-n` must be at least 1, but is {limit} instead. It is the number of rows to show."
        )


def _unknown(what: str, value: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(value, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "Choose one of these."
    return ConfigError(
        f"`{what}` must be one of {', '.join(known) or 'none (there is none)'}, but is {value!r} "
        f"instead. {hint}"
    )


def _first(
    paths: list[Path], schema: pa.Schema, limit: int, conditions: Mapping[str, str]
) -> pa.Table:
    """Return the first rows that meet all conditions, reading no more files than it takes."""
    found = schema.empty_table()
    for path in paths:
        table = store.read_parquet(path, schema.names)
        for name, value in conditions.items():
            table = table.filter(pc.equal(table[name], value))
        found = pa.concat_tables([found, table.slice(0, limit - found.num_rows)])
        if found.num_rows == limit:
            break
    return found
