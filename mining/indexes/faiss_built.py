"""What the indexes that FAISS builds share: made once per corpus, kept on disk, mapped when open.

    <folder>/<name>-<key>/index.faiss
    <folder>/<name>-<key>/index.json     sha256; written last

The key holds the settings that decide the file, the corpus and the encoder.
"""

from __future__ import annotations

import weakref
from abc import abstractmethod
from pathlib import Path
from threading import RLock
from typing import Any, Literal

import numpy as np
from pydantic import PrivateAttr

from mining.corpus import CorpusView
from mining.indexes.approximate import ApproximateIndex, rows_in_whole
from mining.indexes.faiss_library import load_faiss
from mining.search import Floats, Rows
from sdg import ids, store
from sdg.errors import BackendError, DataError

_FILE = "index.faiss"
_MANIFEST = "index.json"
# FAISS's names for how an index keeps vectors.
CODE_NAMES = {"float32": "Flat", "sq8": "SQ8"}


class FaissBuilt(ApproximateIndex):
    """An approximate index of FAISS, on the CPU.

    `prepare` makes or opens the file; without it the index is built in memory when it is first
    searched, and again for another corpus.

    Attributes:
        codes: How the index keeps vectors: "sq8", one byte a number, a quarter of the memory; or
            "float32". Either way what it proposes is scored with the vectors of the store.
    """

    codes: Literal["sq8", "float32"] = "sq8"
    _opened: tuple[Path, Any] | None = PrivateAttr(default=None)
    _built: tuple[weakref.ref[CorpusView], Any] | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=RLock)

    @abstractmethod
    def description(self, num_documents: int) -> str:
        """Return the string for FAISS's index factory."""

    @abstractmethod
    def num_training(self, num_documents: int) -> int:
        """Return how many of the vectors the index is trained with."""

    @abstractmethod
    def parameters(self, depth: int, selector: Any) -> Any:  # noqa: ANN401 - faiss has no types
        """Return FAISS's search parameters."""

    @abstractmethod
    def build_settings(self) -> dict[str, Any]:
        """Return JSON of the settings that decide the file."""

    @abstractmethod
    def add(self, index: Any, block: Floats) -> None:  # noqa: ANN401 - faiss has no types
        """Add the next documents to a trained index."""

    def prepare(self, corpus: CorpusView, folder: Path, fingerprint: str) -> None:
        """Make the file unless it is there and whole, and open it; see `Index.prepare`.

        Several processes may do so at once: the first to finish wins.
        """
        settings = [self.name, self.version, self.codes, self.build_settings(), fingerprint]
        place = folder / f"{self.name}-{ids.fingerprint(settings)[:16]}"
        with self._lock:
            if self._opened is not None and self._opened[0] == place:
                return
            if not _is_whole(place):
                store.remove_folder(place)
                with store.atomic_folder(place) as temporary:
                    index = self._build(corpus)
                    load_faiss().write_index(index, str(temporary / _FILE))
                    sums = {_FILE: store.sha256_of(temporary / _FILE)}
                    store.write_json(temporary / _MANIFEST, sums)
            faiss = load_faiss()
            self._opened = place, faiss.read_index(str(place / _FILE), faiss.IO_FLAG_MMAP_IFC)

    def propose(self, queries: Floats, corpus: CorpusView, depth: int) -> Rows:
        """Return what FAISS finds; a part of a corpus is searched inside the index of the whole."""
        whole, inside = rows_in_whole(corpus)
        selector = None
        if inside is not None:
            is_inside = np.zeros(len(whole), bool)
            is_inside[inside] = True
            selector = load_faiss().IDSelectorBitmap(np.packbits(is_inside, bitorder="little"))
        found = self._index_of(whole).search(
            queries, depth, params=self.parameters(depth, selector)
        )
        rows = np.asarray(found[1], np.int64)
        if inside is None:
            return rows
        return np.where(rows < 0, -1, np.searchsorted(inside, np.maximum(rows, 0)))

    def close(self) -> None:
        """Let go of the index."""
        with self._lock:
            self._opened = self._built = None

    def _index_of(self, corpus: CorpusView) -> Any:  # noqa: ANN401 - faiss has no types
        with self._lock:
            if self._opened is not None:
                place, index = self._opened
                if index.ntotal != len(corpus):
                    raise DataError(
                        f"`{place}` must index the corpus of {len(corpus)} documents, but has "
                        f"{index.ntotal} instead. Delete the folder and run again."
                    )
                return index
            if self._built is None or self._built[0]() is not corpus:
                self._built = weakref.ref(corpus), self._build(corpus)
            return self._built[1]

    def _build(self, corpus: CorpusView) -> Any:  # noqa: ANN401 - faiss has no types
        faiss = load_faiss()
        # Spread evenly, so that every source of the corpus is among them.
        count = min(self.num_training(len(corpus)), len(corpus))
        sample = corpus.vectors_of(np.linspace(0, len(corpus) - 1, count).astype(np.int64))
        try:
            index = faiss.index_factory(
                sample.shape[1], self.description(len(corpus)), faiss.METRIC_INNER_PRODUCT
            )
            index.train(np.ascontiguousarray(sample))
            for _, block in corpus.blocks():
                self.add(index, np.ascontiguousarray(block, np.float32))
        except RuntimeError as error:
            raise BackendError(
                f"FAISS must build the index {self.name!r}, but stopped with: {error}. Check its "
                "settings, and that memory is free."
            ) from error
        return index


def _is_whole(folder: Path) -> bool:
    try:
        sums = store.read_json(folder / _MANIFEST)
    except DataError:
        return False
    file = folder / _FILE
    return file.is_file() and sums == {_FILE: store.sha256_of(file)}
