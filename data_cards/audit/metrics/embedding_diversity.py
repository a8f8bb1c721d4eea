"""How different queries and positives are in meaning, per task and language."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.encoded import encode_texts
from data_cards.audit.measurement import Breakdown, Figure, Measurement
from data_cards.audit.metric import METRICS, NO_ENCODER, AuditContext, Metric
from data_cards.audit.spread import Spread, spread_of

Places = npt.NDArray[np.int32]


@METRICS.register("embedding_diversity")
class EmbeddingDiversity(Metric):
    """Vendi score and embedding spread of a sample of different texts of each task and language.

    Attributes:
        sample: Texts of one cell and side (own); Vendi scores of different sample sizes must not
            be compared.
        max_cells: The largest cells are looked at (own).
    """

    title: ClassVar[str] = "Diversity of meanings"
    about: ClassVar[str] = (
        "The Vendi score is the effective number of different texts in the sample: low means that "
        "the data repeats itself."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "query_vendi",
        "query_vendi_share",
        "query_mean_cosine",
        "query_spread",
        "positive_vendi",
        "positive_vendi_share",
        "positive_mean_cosine",
        "positive_spread",
    )
    sample: int = Field(default=500, ge=2)
    max_cells: int = Field(default=8, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return scores of the whole and of each cell; skipped without encoder or rows."""
        if context.encoder is None:
            return Measurement(skipped=NO_ENCODER)
        if not data.rows.height:
            return Measurement(skipped="the data set has no rows")
        sides = _sides(data)
        figures: list[Figure] = []
        lines: list[tuple[str | int | float, ...]] = []
        cells = data.rows.group_by("task", "query_language").agg(pl.len())
        cells = cells.sort("len", "task", "query_language", descending=[True, False, False])
        for side, texts in sides.items():
            every = texts["text"].unique().sort().to_numpy()
            found = self._spread(data, context, every, side, "all")
            figures += _figures(side, found, len(every))
            for task, language, _ in cells.head(self.max_cells).iter_rows():
                mine = texts.filter(
                    (pl.col("task") == task) & (pl.col("query_language") == language)
                )
                places = mine["text"].unique().sort().to_numpy()
                own = self._spread(data, context, places, side, f"{task} {language}")
                lines.append((task, language, side, own.num, *(round(v, 4) for v in own[1:])))
        columns = ("task", "query language", "side", "texts", "Vendi", "mean cosine", "spread")
        left = cells.height - self.max_cells
        note = (
            (f"{left} smaller cells of task and language were not looked at.",) if left > 0 else ()
        )
        return Measurement(
            figures=tuple(figures),
            breakdowns=(Breakdown("cells", "By task and language", columns, tuple(lines)),),
            notes=(
                f"At most {self.sample} different texts a cell, by {context.encoder.name}.",
                *note,
            ),
        )

    def _spread(
        self, data: AuditedSet, context: AuditContext, places: Places, side: str, cell: str
    ) -> Spread:
        if context.encoder is None:
            return Spread(0, 0.0, 0.0, 0.0)
        drawn = context.sample(f"embedding_diversity {side} {cell}", len(places), self.sample)
        encoded_as = "query" if side == "query" else "document"
        return spread_of(encode_texts(data, context.encoder, places[drawn], encoded_as))  # type: ignore[arg-type]


def _sides(data: AuditedSet) -> dict[str, pl.DataFrame]:
    """Return `task`, `query_language`, `text` of each row's query, and of its positives."""
    rows = data.rows.select("task", "query_language", text="query").with_row_index("row")
    rows = rows.cast({"row": pl.Int32})
    positives = data.links_of("positive")
    texts = positives.select("row", text=data.documents["text"].gather(positives["document"]))
    return {
        "query": rows.drop("row"),
        "positive": texts.join(rows.drop("text"), on="row").drop("row"),
    }


def _figures(side: str, found: Spread, population: int) -> list[Figure]:
    values = {
        "vendi": (found.vendi, f"effective number of different {side} texts in the sample"),
        "vendi_share": (found.vendi / found.num if found.num else 0.0, "of the texts looked at"),
        "mean_cosine": (found.mean_cosine, f"of two {side} texts"),
        "spread": (found.spread, "1 - length of the mean vector"),
    }
    return [
        Figure(f"{side}_{name}", value, "score", None, None, found.num, population, label)
        for name, (value, label) in values.items()
    ]
