"""A data set as every metric sees it, whatever layout it had on disk.

    rows       one per example                  query ──► texts
    links      one per (row, document, role)    row ──► rows, document ──► documents
    documents  one per document                 text ──► texts
    texts      every different text once

A text that occurs a thousand times is looked at once: metrics work on `texts` and follow places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from data_cards.manifest import DataSetManifest
from sdg.errors import ContractError

Role = Literal["positive", "negative"]
POSITIVE, NEGATIVE = 0, 1

ROWS: dict[str, Any] = {
    "query_id": pl.String,
    "query": pl.Int32,  # place in `texts`
    "query_language": pl.String,  # declared, `fra-Latn`; "" if the layout says nothing
    "instruction": pl.String,
    "task": pl.String,  # "" if unknown
    "group_id": pl.String,  # "" if unknown
    "split": pl.String,  # "train" if the layout has no splits
    "generator": pl.String,  # model that wrote the query; "" for people or unknown
    "original_positive": pl.String,  # doc_id before relabelling; "" if it was not relabelled
}
LINKS: dict[str, Any] = {
    "row": pl.Int32,  # place in `rows`; ascending
    "document": pl.Int32,  # place in `documents`
    "role": pl.Int8,  # POSITIVE or NEGATIVE; positives first within a row
    "place": pl.Int32,  # 0-based among those of its role in the row
    "score": pl.Float32,  # miner's score; null if the layout has none
    "rank": pl.Int32,  # miner's 0-based rank; null if unknown
    "source": pl.Categorical,  # "dense:<encoder>", "bm25", "generated:<model>"; "" if unknown
    "grade": pl.Int8,  # judge's grade 0 to 3; null if not judged
}
DOCUMENTS: dict[str, Any] = {
    "doc_id": pl.String,  # the layout's own, or a content hash of the text where it has none
    "text": pl.Int32,  # place in `texts`
    "language": pl.String,  # declared; "" if unknown
    "topic": pl.String,
    "entity_key": pl.String,
    "group_id": pl.String,
    "parent_id": pl.String,
}


class Texts:
    """Different texts, each once; memory-mapped where they come from disk.

    Attributes:
        column: (U,) large_string; place u is text u.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __len__(self) -> int:
        """Return U."""
        return len(self.column)

    def take(self, places: npt.NDArray[np.integer[Any]]) -> pa.LargeStringArray:
        """Return the texts at `places`, in their order."""
        taken = self.column.take(pa.array(places))
        return (
            pa.concat_arrays(taken.chunks) if taken.num_chunks else pa.array([], pa.large_string())
        )

    def blocks(self, size: int = 65_536) -> Iterator[tuple[int, pl.Series]]:
        """Yield (first place, up to `size` texts); all texts in order, nothing copied."""
        for first in range(0, len(self), size):
            part = self.column.slice(first, size)
            yield first, pl.Series("text", part, dtype=pl.String)


@dataclass(frozen=True)
class AuditedSet:
    """One data set, opened.

    Attributes:
        name: For people: the directory's or file's name.
        layout: Registered name of the layout it had.
        rows: R rows, schema ROWS, by split then file order.
        links: L links, schema LINKS.
        documents: N documents, schema DOCUMENTS: all that links refer to, then those of the corpus
            that no row uses.
        texts: U different texts of queries and documents.
        manifest: Of a Pairmill data set; None otherwise.
        folder: Directory of a Pairmill data set, for what only some metrics read (rejected/).
        notes: What the layout does not say, for the report: "no scores".
    """

    name: str
    layout: str
    rows: pl.DataFrame
    links: pl.DataFrame
    documents: pl.DataFrame
    texts: Texts
    manifest: DataSetManifest | None = None
    folder: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, frame, schema in (
            ("rows", self.rows, ROWS),
            ("links", self.links, LINKS),
            ("documents", self.documents, DOCUMENTS),
        ):
            if dict(frame.schema) != schema:
                raise ContractError(
                    f"`{name}` must have the columns {schema}, but has {dict(frame.schema)} "
                    "instead. Cast it where the layout is read."
                )

    def links_of(self, role: Role) -> pl.DataFrame:
        """Return the links of one role, in order."""
        wanted = POSITIVE if role == "positive" else NEGATIVE
        return self.links.filter(pl.col("role") == wanted)

    def has_negatives(self) -> bool:
        """Return whether any row has a negative."""
        return bool((self.links["role"] == NEGATIVE).any())

    def has_scores(self) -> bool:
        """Return whether any link has a score."""
        return self.links["score"].null_count() < self.links.height
