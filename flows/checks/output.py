"""Whether the data set and its journal can be written, and whether the disk has room."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flows.checks import Question, Setup, Told
from flows.lock import locked
from flows.workspace import Workspace
from sdg.errors import ConfigError
from sdg.llm.journal import Journal


def questions(setup: Setup) -> Iterator[Question]:
    """Ask for a folder that can be written, a journal in it, and free space."""
    directory = setup.directory
    yield Question("output", "directory", "for a file in it", lambda: _write(directory))
    needs = ("output directory",)
    yield Question("output", "journal", "for a journal", lambda: _journal(directory), needs=needs)
    least = 2 * setup.config.assemble.max_shard_bytes
    yield Question("output", "disk", "for free space", lambda: _space(directory, least))


def _write(directory: Path) -> Told:
    place = _existing(directory)
    if not place.is_dir():
        raise ConfigError(
            f"`--out` must be a directory that can be made, but {place} is a file instead. "
            "Give another path."
        )
    try:
        with tempfile.TemporaryDirectory(prefix=".pairmill-check-", dir=place) as folder:
            (Path(folder) / "file").write_text("written", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"`--out` must be a directory that can be written, but {place} gives: {error}. "
            "Give another path, or mend the rights."
        ) from error
    state = "exists" if place == directory else f"will be made in {place}"
    return Told(f"{directory} can be written ({state})", {"directory": str(directory)})


def _journal(directory: Path) -> Told:
    """Open the journal that is there, or one beside where it would be."""
    space = Workspace(directory)
    if not space.journal.exists():
        place = _existing(space.work)
        with tempfile.TemporaryDirectory(prefix=".pairmill-check-", dir=place) as folder:
            Journal(Path(folder) / space.journal.name).close()
        return Told("a new one can be made there", {"exists": False})
    # Another run at work is said here and not when the build is started.
    with locked(directory), Journal(space.journal) as journal:
        failures = len(journal.failures())
    return Told(f"opened; it remembers {failures:,} failures", {"exists": True})


def _space(directory: Path, least: int) -> Told:
    place = _existing(directory)
    free = shutil.disk_usage(place).free
    if free < least:
        raise ConfigError(
            f"`--out` must have room for two published files of `assemble.max_shard_bytes` "
            f"({least:,} bytes), but the disk of {place} has {free:,} bytes free instead. Free "
            "space, give another path, or lower `assemble.max_shard_bytes`."
        )
    return Told(f"{free / 2**30:,.1f} GiB free", {"free_bytes": free})


def _existing(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())
