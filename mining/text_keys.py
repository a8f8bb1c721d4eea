"""The key of a text in every store, and the keys of a whole file of documents, made once.

    <root>/text_keys/<sha256 of the file>.npy     (rows, 2) uint64
    <root>/text_keys/<sha256 of the file>.json    sha256 of it; written last

Reading the texts of a million documents takes ten seconds, reading their keys takes none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from sdg import store
from sdg.ids import content_id
from sdg.lookup import Keys, keys_of

_BATCH_ROWS = 4096


def text_key(text: str) -> str:
    """Return the key of a text as people and errors see it: "t" and 32 hex digits."""
    return content_id("t", text)


def write_file_keys(root: Path, path: Path, keys: Keys) -> None:
    """Keep the keys of the documents in `path`, in the order of its rows."""
    stem = _stem(root, path)
    numbers = stem.with_suffix(".npy")
    with store.atomic_path(numbers) as temporary, temporary.open("wb") as out:
        np.save(out, keys)
    store.write_json(stem.with_suffix(".json"), {"sha256": store.sha256_of(numbers)})


def file_keys(root: Path, path: Path) -> Keys:
    """Return the (rows, 2) keys of the texts in a Parquet file with the column `text`.

    Args:
        root: Folder of all vectors; the keys are kept there for the next time.
        path: Known by its content, wherever it lies.
    """
    stem = _stem(root, path)
    if store.is_whole(stem.with_suffix(".json"), {"sha256": stem.with_suffix(".npy")}):
        keys: Keys = np.load(stem.with_suffix(".npy"), allow_pickle=False)
        return keys
    parts = [np.empty((0, 2), np.uint64)]
    for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS, columns=["text"]):
        parts.append(keys_of(batch["text"].to_pylist()))
    keys = np.concatenate(parts)
    write_file_keys(root, path, keys)
    return keys


def _stem(root: Path, path: Path) -> Path:
    return root / "text_keys" / store.remembered_sha256(path)
