"""Vectors on disk: embedded once per (encoder, revision, side, text), memory-mapped ever after.

    <folder>/<encoder key>/<side>/block-00000.npy        (rows, D) float32
    <folder>/<encoder key>/<side>/block-00000.parquet    key: hash of each row's text
    <folder>/<encoder key>/<side>/block-00000.json       sha256 of both; written last

A block whose checksum differs is embedded again. NaN never gets in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mining.encoders import Encoder, Side
from sdg import store
from sdg.errors import ContractError, DataError
from sdg.ids import content_id, fingerprint

BLOCK_ROWS = 2048

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Places:
    """Where N vectors lie in a store.

    Attributes:
        block: (N,) number of the block in the store's list.
        row: (N,) row in the block.
    """

    block: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]

    def __getitem__(self, part: slice | npt.NDArray[np.int64]) -> Places:
        """Return some of the places."""
        return Places(self.block[part], self.row[part])


class VectorStore:
    """The vectors of one encoder and side.

    Args:
        folder: Of all vectors.
        encoder: Makes what is missing.
        side: "query" or "document".
    """

    def __init__(self, folder: Path, encoder: Encoder, side: Side) -> None:
        self.encoder = encoder
        self.side: Side = side
        key = fingerprint([encoder.identity(), encoder.revision()])[:16]
        self.folder = folder / f"{encoder.name}-{key}" / side
        self._blocks: list[Floats] = []
        self._keys: list[pa.Array] = []
        self._next = 0
        self._load()

    def ensure(self, texts: Iterable[Sequence[str]]) -> int:
        """Embed every text that has no vector yet, a block at a time; return how many.

        Args:
            texts: Batches of texts; only one is held at a time.

        Raises:
            DataError: If the encoder gives NaN or infinity for a text.
        """
        made = 0
        waiting: dict[str, str] = {}
        known = {key for keys in self._keys for key in keys.to_pylist()}
        for batch in texts:
            for text in batch:
                key = text_key(text)
                if key not in known:
                    waiting[key] = text
                    known.add(key)
                if len(waiting) == BLOCK_ROWS:
                    made += self._append(waiting)
                    waiting = {}
        return made + self._append(waiting)

    def has(self, keys: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return (N,) True where a text, by its `text_key`, has a vector."""
        return np.asarray(self._index_of(keys).is_valid(), bool)

    def locate(self, keys: Sequence[str]) -> Places:
        """Return where the vectors of texts lie, by `text_key`, in order.

        Raises:
            ContractError: If a text was never embedded.
        """
        found = self._index_of(keys)
        if found.null_count:
            missing = keys[found.is_null().index(True).as_py()]
            raise ContractError(
                f"Every text must be embedded before it is used, but {missing} is not. "
                "Call `ensure` with it first."
            )
        place = np.asarray(found, np.int64)
        ends = np.cumsum([len(keys) for keys in self._keys], dtype=np.int64)
        block = np.searchsorted(ends, place, side="right")
        starts = np.concatenate([np.zeros(1, np.int64), ends])
        return Places(block, place - starts[block])

    def read(self, places: Places) -> Floats:
        """Return (N, D) float32 vectors; consecutive rows of one block are not copied."""
        count = len(places.row)
        if count == 0:
            return np.empty((0, self.encoder.dimension), dtype=np.float32)
        blocks = np.unique(places.block)
        if len(blocks) == 1 and bool((np.diff(places.row) == 1).all()):
            return self._blocks[blocks[0]][places.row[0] : places.row[0] + count]
        out = np.empty((count, self._blocks[blocks[0]].shape[1]), dtype=np.float32)
        for block in blocks:
            here = np.flatnonzero(places.block == block)
            out[here] = self._blocks[block][places.row[here]]
        return out

    def gather(self, keys: Sequence[str]) -> Floats:
        """Return (N, D) float32 vectors of texts by `text_key`, in order.

        Raises:
            ContractError: If a text was never embedded.
        """
        return self.read(self.locate(keys))

    def _index_of(self, keys: Sequence[str]) -> pa.Array:
        known = pa.concat_arrays(self._keys) if self._keys else pa.array([], pa.string())
        return pc.index_in(pa.array(keys, pa.string()), value_set=known)

    def _append(self, texts: dict[str, str]) -> int:
        if not texts:
            return 0
        vectors = checked_vectors(self.encoder, list(texts.values()), self.side)
        stem = self.folder / f"block-{self._next:05d}"
        with store.atomic_path(stem.with_suffix(".npy")) as temporary, temporary.open("wb") as out:
            np.save(out, vectors)
        store.write_parquet(stem.with_suffix(".parquet"), pa.table({"key": list(texts)}))
        sums = {s: store.sha256_of(stem.with_suffix(s)) for s in (".npy", ".parquet")}
        store.write_json(stem.with_suffix(".json"), sums)
        self._add(stem)
        return len(texts)

    def _load(self) -> None:
        for path in sorted(self.folder.glob("block-*.json")):
            stem = path.with_suffix("")
            self._next = max(self._next, int(stem.name.removeprefix("block-")) + 1)
            if _is_whole(path):
                self._add(stem)
            else:
                path.unlink()

    def _add(self, stem: Path) -> None:
        self._blocks.append(np.load(stem.with_suffix(".npy"), mmap_mode="r", allow_pickle=False))
        keys = store.read_parquet(stem.with_suffix(".parquet"))["key"]
        self._keys.append(keys.combine_chunks())
        self._next = max(self._next, int(stem.name.removeprefix("block-")) + 1)


def _is_whole(manifest: Path) -> bool:
    try:
        sums = store.read_json(manifest)
    except DataError:
        return False
    files = {manifest.with_suffix(suffix): value for suffix, value in sums.items()}
    return all(file.exists() and store.sha256_of(file) == v for file, v in files.items())


def text_key(text: str) -> str:
    """Return the key of a text in every store."""
    return content_id("t", text)


def checked_vectors(encoder: Encoder, texts: Sequence[str], side: Side) -> Floats:
    """Return (N, D) vectors of texts.

    Raises:
        DataError: If the encoder gives NaN or infinity for a text.
    """
    vectors = encoder.encode(texts, side)
    is_bad = ~np.isfinite(vectors).all(axis=1)
    if is_bad.any():
        text = texts[int(np.flatnonzero(is_bad)[0])]
        raise DataError(
            f"Vectors must be finite, but {encoder.name} gives NaN or infinity for "
            f"{int(is_bad.sum())} texts, the first: {text[:80]!r}. Remove it, or "
            "change the encoder."
        )
    return vectors
