"""Which files a reader reads, and what pins their content."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdg.errors import DataError
from sdg.store import sha256_of


def find_files(path: str, suffixes: Sequence[str]) -> list[Path]:
    """Return the files that `path` names, in alphabetical order.

    Args:
        path: A file; a folder, of which all files with one of `suffixes` are taken, at any depth;
            or a glob pattern (`**` for any depth). A named or matched file is taken whatever its
            suffix. Hidden files and folders of a folder are passed over.
        suffixes: Lower-case, with the dot; () takes every file of a folder.

    Returns:
        At least one file.

    Raises:
        DataError: If there is no such file, or none in the folder, or none that matches.
    """
    place = Path(path)
    if place.is_file():
        return [place]
    if place.is_dir():
        files = [file for file in sorted(place.rglob("*")) if _is_taken(file, place, suffixes)]
        wanted = f"a file with one of the suffixes {', '.join(suffixes)}" if suffixes else "a file"
    else:
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - absolute patterns too
        files = [Path(match) for match in matches]
        files = [file for file in files if file.is_file()]
        wanted = "an existing file, or a pattern that matches one"
    if not files:
        raise DataError(
            f"`path` must name or hold {wanted}, but is {path!r} instead, read from the folder "
            f"{Path.cwd()}. Correct the path."
        )
    return files


def identity_of_files(files: Sequence[Path], root: Path) -> list[dict[str, Any]]:
    """Return name, size and sha256 of every file; names are relative to `root` where possible."""
    return [
        {"name": name_of(file, root), "bytes": file.stat().st_size, "sha256": sha256_of(file)}
        for file in files
    ]


def name_of(file: Path, root: Path) -> str:
    """Return `file`'s path below `root`, its bare name if it does not lie there."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def root_of(path: str) -> Path:
    """Return the folder that names of the files in `path` are relative to."""
    place = Path(path)
    if place.is_dir():
        return place
    fixed = []
    for part in place.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _is_taken(file: Path, folder: Path, suffixes: Sequence[str]) -> bool:
    is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    has_suffix = not suffixes or file.name.lower().endswith(tuple(suffixes))
    return file.is_file() and not is_hidden and has_suffix
