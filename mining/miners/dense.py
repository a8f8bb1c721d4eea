"""A second encoder: documents that are near the query for another model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, PrivateAttr

from mining.corpus import CorpusView
from mining.embed import embed_documents
from mining.encoders import ENCODERS, Encoder
from mining.indexes import INDEXES, Index
from mining.miners import MINERS, CorpusFiles, Miner, Progress
from mining.proposals import Proposals
from mining.recall import Recall, measure_recall
from mining.search import Wanted
from mining.vectors import VectorStore, checked_vectors
from sdg.ids import fingerprint


def _dump_encoder(encoder: Encoder) -> dict[str, Any]:
    return {ENCODERS.key: encoder.name, **encoder.model_dump(mode="json")}


def _dump_index(index: Index) -> dict[str, Any]:
    return {INDEXES.key: index.name, **index.model_dump(mode="json")}


AnyEncoder = Annotated[Encoder, BeforeValidator(ENCODERS.build), PlainSerializer(_dump_encoder)]
AnyIndex = Annotated[Index, BeforeValidator(INDEXES.build), PlainSerializer(_dump_index)]


@MINERS.register("dense")
class Dense(Miner):
    """Nearest documents by an encoder of its own, with vectors and a search of its own.

    Attributes:
        encoder: As in the section `encoder` of a run.
        index: As in the section `index` of a run.
        label: Name in tables and cards after "dense:"; None: the encoder's name, so two miners
            with models of one kind of encoder need it.
    """

    encoder: AnyEncoder
    index: AnyIndex = Field(default={"index": "faiss_flat"}, validate_default=True)
    label: str | None = Field(default=None, min_length=1)
    _view: tuple[CorpusFiles, CorpusView] | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    @property
    def source(self) -> str:
        """Name of the miner in tables and cards."""
        return f"dense:{self.label or self.encoder.name}"

    def revision(self) -> str:
        """Return what pins the encoder's weights."""
        return self.encoder.revision()

    def identity(self) -> dict[str, Any]:
        """Return what decides the proposals: not what changes speed only."""
        plain = super().identity()
        return {**plain, "encoder": self.encoder.identity(), "index": self.index.identity()}

    def check(self) -> None:
        """Check that the index finds its device."""
        self.index.check()

    def prepare(self, files: CorpusFiles, on_progress: Progress | None = None) -> Mapping[str, int]:
        """Embed every document that has no vector of this encoder yet, and build the index."""
        report = embed_documents(self._store(files), files.documents, on_progress)
        self._corpus(files)
        return {"documents_truncated": report.truncated} if report.truncated else {}

    def propose(self, texts: Sequence[str], corpus: CorpusView, files: CorpusFiles) -> Proposals:
        """Return the nearest documents of each query; see `Miner.propose`."""
        if not texts:
            return Proposals.nothing(self.source, 0)
        vectors = checked_vectors(self.encoder, texts, "query")
        width = min(self.top_k, len(corpus))
        wanted = Wanted.nearest(max(1, width), len(texts))
        found = self.index.search(vectors, self._corpus(files), wanted)
        return Proposals(self.source, found.rows[:, :width], found.scores[:, :width])

    @property
    def approximate_index(self) -> str | None:
        """Name of the index, if it is one that may miss documents."""
        return None if self.index.is_exact else self.index.describe()

    def measure_recall(self, texts: Sequence[str], files: CorpusFiles) -> Recall:
        """Return how much of the exact result the index finds for Q queries."""
        vectors = checked_vectors(self.encoder, texts, "query")
        return measure_recall(vectors, self._corpus(files), self.index, self.top_k)

    def count_truncated(self, texts: Sequence[str]) -> int:
        """Return how many queries the encoder reads only the beginning of."""
        return int(np.count_nonzero(self.encoder.is_truncated(texts, "query")))

    def close(self) -> None:
        """Free the encoder, the index and the corpus."""
        with self._lock:
            self._view = None
        self.encoder.close()
        self.index.close()

    def _store(self, files: CorpusFiles) -> VectorStore:
        return VectorStore(files.vectors, self.encoder, "document")

    def _corpus(self, files: CorpusFiles) -> CorpusView:
        with self._lock:
            if self._view is None or self._view[0] != files:
                view = CorpusView.open(files.documents, self._store(files))
                made_of = [files.fingerprint, self.encoder.identity(), self.encoder.revision()]
                self.index.prepare(view, files.indexes, fingerprint(made_of))
                self._view = files, view
            return self._view[1]
