"""Vectors on disk: embedded once per (encoder, revision, side, text), read in pieces ever after.

    <folder>/<encoder key>/<side>/block-00000.npy         (rows, D) float32 or float16
    <folder>/<encoder key>/<side>/block-00000.keys.npy    (rows, 2) uint64: key of each row's text
    <folder>/<encoder key>/<side>/block-00000.json        sha256 of both; written last

The encoder key holds the encoder's settings (prompts, truncation), the revision of its weights and
the storage type. A block whose checksum differs is embedded again. NaN never gets in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from mining.encoders import Encoder, Side
from mining.text_keys import file_keys, text_key
from mining.texts import ParquetTexts
from mining.vector_file import Floats, Rows, VectorFile
from sdg import store
from sdg.errors import ContractError, DataError
from sdg.ids import fingerprint
from sdg.lookup import ABSENT, Keys, Lookup, keys_of, parse_keys

__all__ = ["VectorDtype", "VectorStore", "Vectors", "checked_vectors", "text_key"]

# Rows of a block while the store is small: what a crash can lose, minutes on a slow encoder.
BLOCK_ROWS = 2048
# Blocks grow with the store, so that ten million vectors are hundreds of files, not thousands.
_MAX_BLOCK_ROWS = 65_536
_BLOCKS_PER_SIZE = 32
_FORMAT = 2
_TEXT_ROWS = 8192

VectorDtype = Literal["float32", "float16"]


class Named(Protocol):
    """What has a name: an encoder, or the label of vectors that were given."""

    @property
    def name(self) -> str:
        """Return the name, as in `dense:<name>`."""


class Vectors(Protocol):
    """The vectors of a corpus, wherever they come from; what a `CorpusView` stands on."""

    @property
    def encoder(self) -> Named:
        """Return what made the vectors."""

    @property
    def dimension(self) -> int:
        """Return D."""

    def places_of(self, texts: ParquetTexts) -> Rows:
        """Return the (N,) place of every document's vector."""

    def read(self, places: Rows) -> Floats:
        """Return (R, D) float32 vectors at places, in a fresh array."""


class VectorStore:
    """The vectors of one encoder and side.

    Args:
        folder: Of all vectors.
        encoder: Makes what is missing.
        side: "query" or "document".
        dtype: As stored. "float16" halves the disk and rounds each component to 11 bits (scores
            move by up to 0.001), so it is part of the key.
    """

    def __init__(
        self, folder: Path, encoder: Encoder, side: Side, dtype: VectorDtype = "float32"
    ) -> None:
        self.encoder = encoder
        self.side: Side = side
        self.dtype: VectorDtype = dtype
        self.root = folder
        key = fingerprint([_FORMAT, encoder.identity(), encoder.revision(), dtype])[:16]
        self.folder = folder / f"{encoder.name}-{key}" / side
        self._blocks: list[VectorFile] = []
        self._starts = [0]
        self._lookup = Lookup()
        self._next = 0
        self._load()

    def __len__(self) -> int:
        """Return the number of vectors."""
        return self._starts[-1]

    @property
    def dimension(self) -> int:
        """Length of a vector; asks the encoder only if there is no vector yet."""
        return self._blocks[0].dimension if self._blocks else self.encoder.dimension

    def ensure(self, texts: Iterable[Sequence[str]]) -> int:
        """Embed every text that has no vector yet, a block at a time; return how many.

        Args:
            texts: Batches of texts; only one is held at a time.

        Raises:
            DataError: If the encoder gives NaN or infinity for a text.
        """
        made = 0
        waiting: dict[str, str] = {}
        for batch in texts:
            # A text may repeat in a batch, and its block may be written in between.
            written: set[str] = set()
            for row in np.flatnonzero(self._lookup.find(keys_of(batch)) == ABSENT).tolist():
                key = text_key(batch[row])
                if key in waiting or key in written:
                    continue
                waiting[key] = batch[row]
                if len(waiting) >= self._block_rows():
                    made += self._append(waiting)
                    written |= waiting.keys()
                    waiting = {}
        return made + self._append(waiting)

    def has(self, keys: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return (N,) True where a text, by its `text_key`, has a vector."""
        is_there: npt.NDArray[np.bool_] = self._lookup.find(parse_keys(keys)) != ABSENT
        return is_there

    def locate(self, keys: Keys) -> Rows:
        """Return the (N,) places of texts, by (N, 2) keys, in order.

        Raises:
            ContractError: If a text was never embedded.
        """
        found = self._lookup.find(keys)
        missing = np.flatnonzero(found == ABSENT)
        if len(missing):
            high, low = keys[missing[0]].tolist()
            digits = (high.to_bytes(8, "little") + low.to_bytes(8, "little")).hex()
            raise ContractError(
                f"Every text must be embedded before it is used, but t{digits} is not. "
                "Call `ensure` with it first."
            )
        return found

    def places_of(self, texts: ParquetTexts) -> Rows:
        """Return the places of all documents; a text whose vector is gone is embedded again."""
        parts = [file_keys(self.root, path) for path in texts.paths]
        keys = np.concatenate([np.empty((0, 2), np.uint64), *parts])
        missing = np.flatnonzero(self._lookup.find(keys) == ABSENT)
        if len(missing):
            self.ensure(
                texts.texts(missing[start : start + _TEXT_ROWS])
                for start in range(0, len(missing), _TEXT_ROWS)
            )
        return self.locate(keys)

    def read(self, places: Rows) -> Floats:
        """Return (N, D) float32 vectors, in the order of places."""
        if len(places) and bool((np.diff(places) < 0).any()):
            order = np.argsort(places, kind="stable")
            out = np.empty((len(places), self.dimension), np.float32)
            out[order] = self._read_ascending(places[order])
            return out
        return self._read_ascending(places)

    def gather(self, keys: Sequence[str]) -> Floats:
        """Return (N, D) float32 vectors of texts by `text_key`, in order.

        Raises:
            ContractError: If a text was never embedded.
        """
        return self.read(self.locate(parse_keys(keys)))

    def _read_ascending(self, places: Rows) -> Floats:
        if not len(places):
            return np.empty((0, self.dimension), np.float32)
        first, last = np.searchsorted(self._starts, [places[0], places[-1]], side="right") - 1
        if first == last:
            return self._blocks[first].read(places - self._starts[first])
        cuts = np.searchsorted(places, self._starts[first : last + 2])
        out = np.empty((len(places), self.dimension), np.float32)
        for block in range(first, last + 1):
            here = slice(cuts[block - first], cuts[block - first + 1])
            out[here] = self._blocks[block].read(places[here] - self._starts[block])
        return out

    def _block_rows(self) -> int:
        return max(BLOCK_ROWS, min(_MAX_BLOCK_ROWS, len(self) // _BLOCKS_PER_SIZE))

    def _append(self, texts: dict[str, str]) -> int:
        if not texts:
            return 0
        vectors = checked_vectors(self.encoder, list(texts.values()), self.side)
        files = _files(self.folder, self._next)
        arrays = {".npy": vectors.astype(self.dtype), ".keys.npy": parse_keys(list(texts))}
        for suffix, array in arrays.items():
            with store.atomic_path(files[suffix]) as temporary, temporary.open("wb") as out:
                np.save(out, np.ascontiguousarray(array))
        sums = {suffix: store.sha256_of(files[suffix]) for suffix in arrays}
        store.write_json(files[".json"], sums)
        self._add(self._next)
        return len(texts)

    def _load(self) -> None:
        for path in sorted(self.folder.glob("block-*.json")):
            number = int(path.stem.removeprefix("block-"))
            files = _files(self.folder, number)
            self._next = max(self._next, number + 1)
            if store.is_whole(path, {s: files[s] for s in (".npy", ".keys.npy")}):
                self._add(number)
            else:
                path.unlink()

    def _add(self, number: int) -> None:
        files = _files(self.folder, number)
        self._blocks.append(VectorFile.open(files[".npy"]))
        self._starts.append(self._starts[-1] + self._blocks[-1].num_rows)
        self._lookup.add(np.load(files[".keys.npy"], allow_pickle=False))
        self._next = max(self._next, number + 1)


def _files(folder: Path, number: int) -> dict[str, Path]:
    return {
        suffix: folder / f"block-{number:05d}{suffix}" for suffix in (".npy", ".keys.npy", ".json")
    }


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
