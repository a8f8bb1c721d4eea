"""Directories of results: who may write there, whether they are whole, numbered files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from data_cards import layout
from data_cards.manifest import file_records
from data_cards.records import FileRecord
from flows.lock import locked
from sdg import store
from sdg.errors import ConfigError, DataError


class Described(Protocol):
    """What every manifest says of its directory."""

    @property
    def fingerprint(self) -> str:
        """Of everything that decided the content."""

    @property
    def files(self) -> Mapping[str, FileRecord]:
        """Path -> checksum of every published Parquet file."""


M = TypeVar("M", bound=Described)

_OWNER = "owner.json"
# What a command may write over, and delete.
_WRITTEN = {*layout.PUBLISHED_FOLDERS, *layout.DESCRIPTIONS, layout.MANIFEST}
# Data sets of all commands have one kind of manifest; what was configured tells them apart.
_KEYS = {"relabel": {"source", "relabel"}, "mine": {"pairs"}, "build": {"sources"}}


@contextmanager
def opened(directory: Path, command: str) -> Iterator[None]:
    """Hold the directory of a result for one run of a command while the block runs.

    Args:
        directory: Absent, without anything that the command writes, or left by the same command.
        command: "build", "mine", "relabel", "bitext" or "subsample".

    Raises:
        ConfigError: If the directory holds something else, or another run is at work in it.
    """
    _check_owner(directory, command)
    with locked(directory):
        # Says whose the directory is, whatever its state after a crash.
        store.write_json(directory / layout.WORK / _OWNER, {"command": command})
        yield


def _check_owner(directory: Path, command: str) -> None:
    if not directory.is_dir():
        return
    owner = directory / layout.WORK / _OWNER
    if owner.is_file():
        found = store.read_json(owner)["command"]
    else:
        # What is published goes on without its working files.
        found = _writer_of(directory / layout.MANIFEST)
    names = {path.name for path in directory.iterdir()}
    if found == command or (not found and not names & _WRITTEN):
        return
    holds = f"what `pairmill {found}` wrote" if found else str(sorted(names & _WRITTEN))
    raise ConfigError(
        f"`--out` must be new, or from an earlier `pairmill {command}`, but {directory} holds "
        f"{holds}. Give another directory: nothing in it was changed."
    )


def _writer_of(manifest: Path) -> str:
    """Return the command that a manifest is from, "" if there is none."""
    if not manifest.is_file():
        return ""
    try:
        found = store.read_json(manifest)
        kind, config = found.get("kind", ""), found["config"]
        return str(kind or next((name for name, keys in _KEYS.items() if keys <= set(config)), ""))
    except (DataError, KeyError, TypeError, AttributeError):
        return ""


def write_numbered(folder: Path, name: str, tables: Iterable[pa.Table]) -> None:
    """Write tables as NAME-00000-of-00002.parquet, which names them only when all are there."""
    written = []
    for number, table in enumerate(tables):
        written.append(folder / f"{number:05d}.parquet")
        store.write_parquet(written[-1], table)
    for number, path in enumerate(written):
        path.rename(folder / f"{name}-{number:05d}-of-{len(written):05d}.parquet")


def whole_manifest(
    directory: Path,
    load: Callable[[Path], M],
    wanted: Callable[[], str],
    descriptions: Sequence[str] = layout.DESCRIPTIONS,
) -> M | None:
    """Return the manifest of a whole directory with the wanted fingerprint, or None.

    A damaged, missing or extra published file means None: publishing again mends it.

    Args:
        directory: Of the result.
        load: Reads its manifest.
        wanted: Computes the fingerprint; called only if the files are whole.
        descriptions: Files that must stand beside the manifest.
    """
    if not all((directory / name).is_file() for name in (layout.MANIFEST, *descriptions)):
        return None
    try:
        found = load(directory)
        files = file_records(directory)
    except DataError:
        return None
    return found if files == found.files and found.fingerprint == wanted() else None
