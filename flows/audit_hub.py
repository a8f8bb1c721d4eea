"""A data set on the hub, fetched for the audit."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from flows.progress import stage_progress
from sdg import store
from sdg.corpus.hub import HubRows
from sdg.errors import BackendError, DataError

# Rows per file and per batch, own.
_FILE_ROWS = 65_536


def is_hub_id(name: str) -> bool:
    """Return whether `name` is no path here but looks like `owner/name`."""
    owner, slash, rest = name.partition("/")
    return bool(slash and owner and rest) and "/" not in rest and not Path(name).exists()


def fetch(name: str, subset: str, revision: str, folder: Path) -> str:
    """Write all splits of a hub data set as `<split>-00000.parquet` …; return the commit.

    Raises:
        DataError: If the hub has no such data set or subset.
        BackendError: If the hub does not answer.
    """
    import datasets
    from huggingface_hub import errors

    # No connection, as the HTTP client says it that the hub's library uses: no OSError.
    no_answer: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    rows = HubRows(name, subset, "", revision)
    commit = str(rows.content_identity()["commit"])
    try:
        splits = datasets.get_dataset_split_names(name, subset or None, revision=commit)
    except (datasets.exceptions.DatasetsError, ValueError) as error:
        raise DataError(
            f"`{name}` must be a data set with the subset {subset or 'default'!r}, but opening it "
            f"gave {type(error).__name__}: {error}. Name one with --set subset=NAME."
        ) from error
    except (no_answer, OSError) as error:
        raise BackendError(
            f"The hub must answer for the data set {name!r}, but gave {type(error).__name__}: "
            f"{error}. Try again later.",
            retryable=True,
        ) from error
    with stage_progress("fetch", "rows", 0) as progress:
        for split in map(str, splits):
            parts = HubRows(name, subset, split, commit).batches(_FILE_ROWS)
            for number, table in enumerate(parts):
                store.write_parquet(folder / f"{split}-{number:05d}.parquet", _plain(table))
                progress.advance(table.num_rows)
    return commit


def _plain(table: pa.Table) -> pa.Table:
    """Return `table` without what only the hub's own viewer reads."""
    return table.replace_schema_metadata(None)
