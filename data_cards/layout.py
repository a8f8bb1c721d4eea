"""Names of everything inside a data set directory; no other file spells them."""

from __future__ import annotations

from pathlib import Path

from sdg.errors import DataError

CARD = "README.md"
CROISSANT = "croissant.json"
MANIFEST = "manifest.json"
CHANGELOG = "CHANGELOG.md"  # kept by the owner; the card shows it
DATA = "data"
CORPUS = "corpus"
REJECTED = "rejected"
MINERS = "miners"  # what each miner said about a row's documents; only if there are several
REVIEWS = "reviews"  # what each reviewer said of a row; only if there was one
AUDIT = "audit"
METRICS = "metrics.json"  # in AUDIT
PROBE = "probe.json"  # in AUDIT
WORK = ".work"  # what resume needs; never published, safe to delete

PUBLISHED_FOLDERS = (
    DATA,
    CORPUS,
    REJECTED,
    MINERS,
    REVIEWS,
)  # their files are listed in the manifest
DESCRIPTIONS = (CARD, CROISSANT)  # rendered from manifest and files
DEFAULT_CONFIG = DATA  # the Hugging Face configuration that `load_dataset(DIR)` gives


def data_glob(split: str) -> str:
    """Return the pattern of a split's shards, relative to the directory."""
    return f"{DATA}/{split}-*.parquet"


def parquet_files(directory: Path, folder: str) -> list[Path]:
    """Return the Parquet files of one published folder by name; an absent folder has none."""
    return sorted((directory / folder).glob("*.parquet"))


def split_of(path: str) -> str:
    """Return the split that a data file's name begins with: "train" of "data/train-00000-…"."""
    return path.rsplit("/", 1)[-1].rsplit("-", 3)[0]


def check_directory(directory: Path) -> None:
    """Check that `directory` is a finished data set.

    Raises:
        DataError: If it is no directory or holds no manifest.
    """
    if not directory.is_dir():
        raise DataError(
            f"`{directory}` must be a data set directory, but does not exist or is a file instead. "
            "Give the directory of a finished data set."
        )
    if not (directory / MANIFEST).is_file():
        raise DataError(
            f"`{directory}` must hold {MANIFEST}, but it is not there. "
            "Run the command that wrote it again: it finishes what is missing."
        )
