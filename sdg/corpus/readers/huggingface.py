"""A Hugging Face data set: from the hub, saved to disk, or a local folder in its layout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from sdg.corpus.columns import TableReader
from sdg.corpus.hub import HubRows
from sdg.corpus.readers import BATCH_ROWS, READERS


@READERS.register("huggingface")
class HuggingFace(TableReader):
    """Rows of one split, streamed: memory is one batch, whatever the data set's size.

    Code that comes with a data set is never run.

    Attributes:
        path: Hub id (`owner/name`), a folder written by `save_to_disk`, or a folder that
            `load_dataset` understands.
        subset: Name of the data set's configuration; "" for its only or default one.
        split: Which split.
        revision: Commit, tag or branch on the hub; "" for the newest. What it points to when
            the flow starts is recorded.
    """

    path: str
    subset: str = ""
    split: str = "train"
    revision: str = ""

    def batches(self) -> Iterator[pa.Table]:
        """Yield the rows in the data set's order; the key is `split:row`.

        Raises:
            DataError: If there is no such data set, subset or split, or a column is missing or not
                text.
            BackendError: If the hub does not answer.
        """
        row = 0
        for table in self._rows().batches(BATCH_ROWS):
            keys = [f"{self.split}:{row + place}" for place in range(table.num_rows)]
            row += table.num_rows
            yield self.to_raw(table, keys, f"{self.path} ({self.split})")

    def content_identity(self) -> dict[str, Any]:
        """Return file hashes of a local data set, the commit of one on the hub.

        Raises:
            DataError: If the hub has no such data set.
            BackendError: If the hub does not answer.
        """
        return self._rows().content_identity()

    def _rows(self) -> HubRows:
        return HubRows(self.path, self.subset, self.split, self.revision)
