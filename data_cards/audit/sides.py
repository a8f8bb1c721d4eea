"""Where texts stand in a data set: as query, positive or negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import findings_of

SideName = Literal["query", "positive", "negative"]
SIDES: tuple[SideName, ...] = ("query", "positive", "negative")

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Side:
    """The O occurrences of texts on one side, by row.

    Attributes:
        name: Of the side.
        rows: (O,) places in `AuditedSet.rows`.
        documents: (O,) places in `AuditedSet.documents`; -1 for queries.
        texts: (O,) places in `AuditedSet.texts`.
    """

    name: SideName
    rows: Places
    documents: Places
    texts: Places

    def __len__(self) -> int:
        """Return O."""
        return len(self.rows)

    def at(self, places: Places) -> Side:
        """Return the occurrences at `places` alone."""
        return Side(self.name, self.rows[places], self.documents[places], self.texts[places])


def side_of(data: AuditedSet, name: SideName) -> Side:
    """Return one side; a data set without negatives has 0 occurrences of them."""
    if name == "query":
        rows = np.arange(data.rows.height)
        return Side(name, rows, np.full(len(rows), -1), _places(data.rows["query"]))
    links = data.links_of(name)
    documents = _places(links["document"])
    return Side(name, _places(links["row"]), documents, document_texts(data)[documents])


def document_texts(data: AuditedSet) -> Places:
    """Return the (N,) place of each document's text."""
    return _places(data.documents["text"])


def declared_languages(data: AuditedSet, side: Side) -> pl.Series:
    """Return the (O,) declared language of each occurrence, "" where nothing is declared."""
    if side.name == "query":
        return data.rows["query_language"].gather(side.rows)
    return data.documents["language"].gather(side.documents)


def text_findings(
    metric: str, reason: str, data: AuditedSet, flagged: pl.DataFrame, at_most: int
) -> tuple[pl.DataFrame, int]:
    """Return the findings about texts, and how many there are before the cut.

    A query's text is found in each of its rows, a document's text in each document.

    Args:
        metric: Name of the metric.
        reason: What is true of the texts.
        data: The data set.
        flagged: `place` in `texts`, `value` and `detail`; one line per text.
        at_most: Findings kept.
    """
    marked = flagged.select(pl.col("place").cast(pl.Int32), "value", "detail")
    in_rows = _located(data.rows.select(place="query"), marked, "row", "document")
    in_documents = _located(data.documents.select(place="text"), marked, "document", "row")
    found = pl.concat([in_rows, in_documents.select(in_rows.columns)])
    listed = findings_of(
        metric,
        reason,
        rows=found["row"],
        documents=found["document"],
        values=found["value"],
        details=found["detail"],
        at_most=at_most,
    )
    return listed, found.height


def _located(column: pl.DataFrame, marked: pl.DataFrame, name: str, other: str) -> pl.DataFrame:
    found = column.with_row_index(name).join(marked, on="place", how="inner")
    return found.select(
        pl.col(name).cast(pl.Int32),
        pl.lit(-1, pl.Int32).alias(other),
        pl.col("value").cast(pl.Float64),
        "detail",
    )


def _places(column: pl.Series) -> Places:
    return column.to_numpy().astype(np.int64)
