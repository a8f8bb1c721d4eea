"""Whether every index that is asked for is installed, finds its device, and searches."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.checks import Question, Setup, Told
from flows.config import RunConfig
from flows.resources import held
from mining.corpus import CorpusView
from mining.encoders import ENCODERS
from mining.indexes import Index
from mining.search import Wanted
from mining.vectors import VectorStore
from sdg import store
from sdg.errors import BackendError
from sdg.ids import content_id
from sdg.schemas import DOCUMENTS, table_of

# Enough for an index that has to be trained.
_DOCUMENTS = 1024


def questions(setup: Setup) -> Iterator[Question]:
    """Ask each different index for one of a thousand small documents."""
    for name, index in _indexes(setup.config).items():
        yield _question(setup, name, held(index))


def _indexes(config: RunConfig) -> dict[str, Index]:
    found = {"index": config.index}
    for number, miner in enumerate(config.mining.miners):
        own = getattr(miner, "index", None)
        if isinstance(own, Index):
            found[f"mining.miners.{number}.index"] = own
    first = {id(held(index)): place for place, index in reversed(found.items())}
    return {place: found[place] for place in found if place in first.values()}


def _question(setup: Setup, name: str, index: Index) -> Question:
    def ask() -> Told:
        with tempfile.TemporaryDirectory(prefix="pairmill-check-") as folder:
            try:
                _search(index, Path(folder), name)
            finally:
                index.close()
        told = f"{index.describe()}; {'exact' if index.is_exact else 'approximate'}"
        return Told(told, {"index": index.describe(), "is_exact": index.is_exact})

    return Question("index", name, "for a document", ask, setup.seconds_for(index))


def _search(index: Index, folder: Path, name: str) -> None:
    encoder = ENCODERS.build({ENCODERS.key: "hashing"})
    rows = [_document(number) for number in range(_DOCUMENTS)]
    path = folder / "documents.parquet"
    store.write_parquet(path, table_of(rows, DOCUMENTS))
    vectors = VectorStore(folder / "vectors", encoder, "document")
    vectors.ensure([[row["text"] for row in rows]])
    corpus = CorpusView.open([path], vectors)
    index.prepare(corpus, folder / "indexes", "check")
    query = encoder.encode([rows[0]["text"]], "query")
    found = index.search(query, corpus, Wanted.nearest(1, 1))
    row = int(found.rows[0, 0])
    if row < 0 or corpus.doc_ids[row].as_py() != rows[0]["doc_id"]:
        raise BackendError(
            f"`{name}` must find a document by its own vector, but {index.describe()} found "
            f"{'nothing' if row < 0 else 'another one'}. Raise what it looks at, or take an exact "
            "index."
        )


def _document(number: int) -> dict[str, Any]:
    text = f"Document {number} of {number * number} and {number**3 + 7}."
    numbers = {"language_score": 1.0, "chunk_index": 0, "num_chunks": 1, "natural_texts": []}
    return {
        **{field.name: "" for field in DOCUMENTS},
        **numbers,
        "doc_id": content_id("d", text),
        "text": text,
    }
