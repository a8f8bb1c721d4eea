"""One split of a Hugging Face data set, streamed: from the hub, saved to disk, or a local folder.

Code that comes with a data set is never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from sdg.corpus.files import find_files, identity_of_files
from sdg.errors import BackendError, DataError


@dataclass(frozen=True, slots=True)
class HubRows:
    """Rows of one split.

    Attributes:
        path: Hub id (`owner/name`), a folder written by `save_to_disk`, or a folder that
            `load_dataset` understands.
        subset: Name of the data set's configuration; "" for its only or default one.
        split: Which split.
        revision: Commit, tag or branch on the hub; "" for the newest.
    """

    path: str
    subset: str
    split: str
    revision: str

    def batches(self, batch_rows: int) -> Iterator[pa.Table]:
        """Yield the rows in the data set's order; memory is one batch.

        Raises:
            DataError: If there is no such data set, subset or split.
            BackendError: If the hub does not answer.
        """
        import datasets

        row = 0
        try:
            for batch in self._open().with_format("arrow").iter(batch_size=batch_rows):
                table = pa.table(batch)
                yield table
                row += table.num_rows
        except (datasets.exceptions.DatasetsError, ValueError, KeyError, OSError) as error:
            # ArrowInvalid is a ValueError, ArrowIOError an OSError.
            is_hub = isinstance(error, OSError) and not Path(self.path).exists()
            raise (self._unreachable(error) if is_hub else self._unreadable(error, row)) from error

    def content_identity(self) -> dict[str, Any]:
        """Return file hashes of a local data set, the commit of one on the hub.

        Raises:
            DataError: If the hub has no such data set.
            BackendError: If the hub does not answer.
        """
        place = Path(self.path)
        if place.exists():
            return {"files": identity_of_files(find_files(self.path, ()), place)}
        return {"hub": self.path, "commit": self._hub_commit()}

    def _open(self) -> Any:  # noqa: ANN401 - Dataset or IterableDataset
        import datasets

        place = Path(self.path)
        if (place / "state.json").is_file():
            return datasets.load_from_disk(self.path)
        if (place / "dataset_dict.json").is_file():
            return datasets.load_from_disk(self.path)[self.split]
        revision = None if place.exists() else self._hub_commit()
        return datasets.load_dataset(
            self.path,
            self.subset or None,
            split=self.split,
            revision=revision,
            streaming=True,
        )

    def _hub_commit(self) -> str:
        import huggingface_hub
        from huggingface_hub import errors
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            RepositoryNotFoundError,
        )

        # No connection, as the HTTP client says it that the hub's library uses.
        no_answer: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
        try:
            info = huggingface_hub.HfApi().dataset_info(self.path, revision=self.revision or None)
        except (RepositoryNotFoundError, HFValidationError) as error:
            raise DataError(
                f"`path` must be a folder that exists or a data set on the hub, but {self.path!r} "
                f"is neither: {error}. Correct it, or log in if the data set is private."
            ) from error
        except (HfHubHTTPError, no_answer, OSError) as error:
            raise self._unreachable(error) from error
        return str(info.sha)

    def _unreadable(self, error: Exception, row: int) -> DataError:
        return DataError(
            f"`path` must name a data set with the split {self.split!r}, but reading "
            f"{self.path!r} after row {row} gave {type(error).__name__}: {error}. Correct "
            "`path`, `subset`, `split` or `revision`."
        )

    def _unreachable(self, error: Exception) -> BackendError:
        return BackendError(
            f"The hub must answer for the data set {self.path!r}, but gave "
            f"{type(error).__name__}: {error}. If `path` was meant as a folder, it does not exist "
            f"below {Path.cwd()}; else try again later.",
            retryable=True,
        )
