"""Directories of results: who may write there, whether they are whole, numbered files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa

from data_cards import layout
from data_cards.manifest import file_records
from data_cards.records import FileRecord
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


def check_target(target: Path, mark: str, command: str) -> None:
    """Check that a command may write into `target`, before it does.

    Args:
        target: Absent, empty, or left by the same command.
        mark: Name of the file in DIR/.work that says that the directory is the command's, whatever
            its state after a crash.
        command: For the message.

    Raises:
        ConfigError: If the directory holds something else.
    """
    work = target / layout.WORK
    if not target.is_dir() or (work / mark).is_file():
        return
    names = {path.name for path in target.iterdir()} - {layout.WORK}
    own = {path.name for path in work.iterdir()} if work.is_dir() else set()
    if names or own - {"lock"}:
        raise ConfigError(
            f"`--out` must be empty, new, or from an earlier `pairmill {command}`, but {target} "
            f"holds {sorted(names | own)[:5]}. Give another directory."
        )


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
