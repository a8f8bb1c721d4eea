"""One run at a time per data set."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_cards import layout
from sdg.errors import ConfigError


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold DIR/.work/lock while the block runs; the system lets go of it when the process dies.

    Raises:
        ConfigError: If another process holds it.
    """
    path = directory / layout.WORK / "lock"
    if directory.exists() and not directory.is_dir():
        raise ConfigError(
            f"`--out` must be a directory, but {directory} is a file instead. Give another path."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise ConfigError(
            f"`--out` must be a directory that can be written, but {directory} gives: {error}. "
            "Give another path."
        ) from error
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"`{directory}` must be free, but another run is at work in it. "
                "Wait for it to end, or give another directory with --out."
            ) from error
        yield
