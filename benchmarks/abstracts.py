"""The ~26,000 packaged abstracts with the descriptions people wrote beside them, and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mining.encoders import ENCODERS
from mining.vectors import VectorStore, text_key
from sdg.corpus.readers import READERS
from sdg.ids import content_id, normalise_text
from sdg.schemas import DOCUMENTS
from sdg.tasks.natural_text import NaturalText

Floats = npt.NDArray[np.float32]

_BATCH_TEXTS = 2048


@dataclass(frozen=True, slots=True)
class Abstracts:
    """N different abstracts.

    Attributes:
        documents: Schema DOCUMENTS, N rows in the order of the reader.
        descriptions: N descriptions, "" where there is none.
        vectors: (N, D) float32 unit rows of the abstracts.
    """

    documents: pa.Table
    descriptions: list[str]
    vectors: Floats


def load_abstracts(cache: Path) -> Abstracts:
    """Return the abstracts with vectors of `use_multilingual`, embedded once per `cache`."""
    documents, descriptions = read_abstracts()
    return Abstracts(
        documents, descriptions, embed_texts(documents["text"].to_pylist(), cache / "vectors")
    )


@cache
def read_abstracts() -> tuple[pa.Table, list[str]]:
    """Return DOCUMENTS, one per different text, and the description of each, "" if none."""
    description = NaturalText(kind="description")
    rows: dict[str, dict[str, object]] = {}
    descriptions: list[str] = []
    reader = READERS.build({"reader": "wikipedia_abstracts"})
    for batch in reader.batches():
        for raw in batch.to_pylist():
            text = normalise_text(raw["text"])
            doc_id = content_id("d", text)
            if text and doc_id not in rows:
                rows[doc_id] = _document(doc_id, text, raw)
                descriptions.append(description.text_beside(raw))
    return pa.Table.from_pylist(list(rows.values()), schema=DOCUMENTS), descriptions


def embed_texts(texts: Sequence[str], folder: Path) -> Floats:
    """Return (T, D) vectors of `use_multilingual`; only texts new to `folder` are embedded."""
    store = VectorStore(folder, ENCODERS.build({"encoder": "use_multilingual"}), "document")
    store.ensure(
        texts[start : start + _BATCH_TEXTS] for start in range(0, len(texts), _BATCH_TEXTS)
    )
    return store.gather([text_key(text) for text in texts])


def _document(doc_id: str, text: str, raw: dict[str, object]) -> dict[str, object]:
    return {
        "doc_id": doc_id,
        "text": text,
        "title": raw["title"],
        "language": raw["language"],
        "language_score": 1.0,
        "topic": raw["topic"],
        "source": "wikipedia_abstracts",
        "source_key": raw["source_key"],
        "parent_id": doc_id,
        "chunk_index": 0,
        "num_chunks": 1,
        "entity_key": raw["entity_key"],
        "group_id": doc_id,
        "natural_texts": raw["natural_texts"],
    }
