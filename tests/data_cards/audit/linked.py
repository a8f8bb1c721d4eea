"""Small audited sets built from examples, and an encoder whose vectors are written in the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.in_memory import audited_examples
from data_cards.audit.metric import JudgedCase
from mining.encoders import Encoder, Floats, Side
from sdg.schemas import EXAMPLES

_TEXTS = (
    "source_doc_id",
    "generator",
    "model_revision",
    "prompt",
    "prompt_sha256",
    "persona",
    "spec",
    "paraphrase_of",
    "original_positive_id",
)
PROVENANCE: dict[str, object] = {
    **dict.fromkeys(_TEXTS, ""),
    "seed": 0,
    "positive_was_relabelled": False,
}


@dataclass(frozen=True)
class Link:
    """One document of a row; its text is its name unless given."""

    doc_id: str
    text: str = ""
    score: float = float("nan")
    rank: int = 0
    source: str = "dense:tiny"

    @property
    def words(self) -> str:
        return self.text or self.doc_id


@dataclass(frozen=True)
class Row:
    """One example."""

    query: str
    positives: Sequence[Link]
    negatives: Sequence[Link] = ()
    language: str = "eng-Latn"
    task: str = "t"
    generator: str = ""
    original: str = ""


def audited(
    rows: Sequence[Row], corpus: Sequence[Mapping[str, str]] = (), **more: Any
) -> AuditedSet:
    """Return the rows as an audited set; `corpus` gives fields of documents by `doc_id`."""
    examples = [_example(n, row) for n, row in enumerate(rows)]
    table = pa.Table.from_pylist(list(corpus)) if corpus else None
    return audited_examples(pa.Table.from_pylist(examples, schema=EXAMPLES), table, **more)


def _example(number: int, row: Row) -> dict[str, Any]:
    provenance = {**PROVENANCE, "generator": row.generator}
    if row.original:
        provenance |= {"original_positive_id": row.original, "positive_was_relabelled": True}
    both = [*row.positives, *row.negatives]
    return {
        "query_id": f"q{number}",
        "query": row.query,
        "query_language": row.language,
        "instruction": "",
        "task": row.task,
        "positive_ids": [link.doc_id for link in row.positives],
        "positives": [link.words for link in row.positives],
        "positive_scores": [link.score for link in row.positives],
        "positive_languages": [row.language for _ in row.positives],
        "negative_ids": [link.doc_id for link in row.negatives],
        "negatives": [link.words for link in row.negatives],
        "negative_scores": [link.score for link in row.negatives],
        "negative_ranks": [link.rank for link in row.negatives],
        "negative_sources": [link.source for link in row.negatives],
        "negative_languages": [row.language for _ in row.negatives],
        "relevance": [None for _ in both],
        "group_id": "",
        "split": "train",
        "provenance": provenance,
    }


class GivenVectors(Encoder):
    """Vectors by text; a text without one has the zero vector."""

    name: ClassVar[str] = "given"
    vectors: dict[str, tuple[float, ...]]

    def revision(self) -> str:
        return "1"

    @property
    def dimension(self) -> int:
        return len(next(iter(self.vectors.values())))

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        zero = (0.0,) * self.dimension
        found = np.array([self.vectors.get(text, zero) for text in texts], np.float32)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)


@dataclass
class TextJudge:
    """Says that candidates with one of `relevant` texts are relevant."""

    relevant: frozenset[str]
    unreadable: frozenset[str] = frozenset()
    seen: list[JudgedCase] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "texts"

    def judge(self, cases: Sequence[JudgedCase]) -> list[bool | None]:
        self.seen += cases
        return [
            None if case.candidate in self.unreadable else case.candidate in self.relevant
            for case in cases
        ]
