"""BM25: documents that share rare words with the query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, PrivateAttr

from mining.corpus import CorpusView
from mining.miners import MINERS, CorpusFiles, Miner, Progress
from mining.miners.bm25_index import Bm25Index, build, is_whole
from mining.miners.terms import TERMS_VERSION
from mining.proposals import Proposals
from sdg import store
from sdg.errors import DataError
from sdg.ids import fingerprint

_BATCH_ROWS = 8192


@MINERS.register("bm25")
class Bm25(Miner):
    """Lucene's BM25 over `mining.miners.terms`, which works for every script.

    As the only miner it was worse for training than random documents (NV-Retriever, arXiv
    2407.15831: nDCG@10 0.5002 against 0.5248); use it beside an encoder.

    Attributes:
        k1: How soon more occurrences of a word count no more; 1.2 is Lucene's.
        b: How much longer documents are held down; 0.75 is Lucene's.
    """

    k1: float = Field(default=1.2, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)
    _open: tuple[Path, Bm25Index] | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    @property
    def source(self) -> str:
        """Name of the miner in tables and cards."""
        return "bm25"

    def prepare(self, files: CorpusFiles, on_progress: Progress | None = None) -> Mapping[str, int]:
        """Build the index unless a whole one is there; nothing is ever cut."""
        folder = self._folder(files)
        if not is_whole(folder):
            store.remove_folder(folder)
            with store.atomic_folder(folder) as temporary:
                build(temporary, _texts(files.documents, on_progress), k1=self.k1, b=self.b)
        return {}

    def propose(self, texts: Sequence[str], corpus: CorpusView, files: CorpusFiles) -> Proposals:
        """Return the best documents that share a word with each query; see `Miner.propose`.

        Raises:
            DataError: If the index was made of another corpus.
        """
        folder = self._folder(files)
        with self._lock:
            if self._open is None or self._open[0] != folder:
                # An index that was damaged since is made again.
                self.prepare(files)
                self._open = folder, Bm25Index(folder)
            index = self._open[1]
        if len(index) != len(corpus):
            raise DataError(
                f"`{folder}` must index the corpus of {len(corpus)} documents, but has "
                f"{len(index)} instead. Delete the folder and run again."
            )
        width = min(self.top_k, len(corpus))
        return Proposals(self.source, *index.search(texts, width, corpus.id_order))

    def close(self) -> None:
        """Let go of the index."""
        with self._lock:
            self._open = None

    def _folder(self, files: CorpusFiles) -> Path:
        # top_k decides what is read of the index, and not the index.
        key = fingerprint([self.version, self.k1, self.b, TERMS_VERSION, files.fingerprint])
        return files.indexes / f"bm25-{key[:16]}"


def _texts(paths: Sequence[Path], on_progress: Progress | None) -> Iterator[pa.Array]:
    for path in paths:
        try:
            for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS, columns=["text"]):
                yield batch["text"]
                if on_progress is not None:
                    on_progress(batch.num_rows)
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"`{path}` must be a readable Parquet file, but reading it gave: {error}. "
                "Check the path, or write the file again."
            ) from error
