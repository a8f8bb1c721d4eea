"""`pairmill diff`: two versions of a data set compared."""

from __future__ import annotations

from pathlib import Path

from data_cards.diff import DataSetDiff, compare_data_sets
from data_cards.manifest import load_manifest
from flows.progress import stage_progress


def diff_data_sets(old: Path, new: Path) -> DataSetDiff:
    """Return what changed from `old` to `new`, with a progress bar over their rows.

    Raises:
        DataError: If one is no data set, or a file is damaged.
    """
    total = load_manifest(old).rows + load_manifest(new).rows
    with stage_progress("compare", "rows", total) as progress:
        return compare_data_sets(old, new, progress.advance)
