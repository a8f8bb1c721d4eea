"""How hard the negatives are: their similarity to the query, relative to the positive's."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from data_cards.audit.audited_set import NEGATIVE, POSITIVE, AuditedSet
from data_cards.audit.bins import edged_histogram
from data_cards.audit.encoded import encode_texts
from data_cards.audit.measurement import Measurement, findings_of, share
from data_cards.audit.metric import METRICS, NO_ENCODER, AuditContext, Metric

_EDGES = (-np.inf, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, np.nextafter(1.0, 2.0), np.inf)
_LABELS = (
    "under 0.5",
    "0.5 to 0.6",
    "0.6 to 0.7",
    "0.7 to 0.8",
    "0.8 to 0.9",
    "0.9 to 0.95",
    "0.95 to 1",
    "over 1",
)


class _Scored(NamedTuple):
    """Links with scores, and how many rows there are to choose from."""

    links: pl.DataFrame
    rows: int
    population: int
    note: str


@METRICS.register("hardness")
class Hardness(Metric):
    """Score of each negative divided by that of its row's hardest positive.

    Stored scores are taken where there are any; otherwise the context's encoder scores a sample.

    Attributes:
        too_easy: A row whose hardest negative is below this ratio teaches little (own).
        too_hard: Negatives above it are likely false ones; 0.95 is NV-Retriever's bound.
        sample_rows: Rows scored by the encoder where there are no scores (own).
    """

    title: ClassVar[str] = "Hardness of negatives"
    about: ClassVar[str] = (
        "Negatives far below the positive teach little; those close to it or above it often "
        "answer the query."
    )
    figures: ClassVar[tuple[str, ...]] = (
        "too_easy",
        "too_hard",
    )
    too_easy: float = Field(default=0.5, gt=0, lt=1)
    too_hard: float = Field(default=0.95, gt=0, le=1)
    sample_rows: int = Field(default=250, ge=1)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the profile; skipped without negatives, or with neither scores nor encoder."""
        if not data.has_negatives():
            return Measurement(skipped="the data set has no negatives")
        if not data.has_scores() and context.encoder is None:
            return Measurement(skipped=f"the data set has no scores, and {NO_ENCODER}")
        scored = self._scored(data, context)
        ratios, unusable = _ratios(scored.links)
        if ratios.is_empty():
            return Measurement(skipped="no row has a positive score above zero and a negative")
        easy = ratios.group_by("row").agg(pl.col("ratio").max()).sort("row")
        rows = easy.height
        easy = easy.filter(pl.col("ratio") < self.too_easy)
        hard = ratios.filter(pl.col("ratio") > self.too_hard)
        population = rows if scored.rows == scored.population else scored.population
        negatives = ratios.height
        if scored.rows != scored.population:
            negatives = data.links_of("negative").height
        return Measurement(
            figures=(
                share("too_easy", easy.height, rows, population, "rows whose negatives are easy"),
                share("too_hard", hard.height, ratios.height, negatives, "negatives too close"),
            ),
            histograms=(
                edged_histogram(
                    "ratios",
                    "Negative's score / hardest positive's",
                    {"negatives": ratios["ratio"].to_numpy()},
                    _EDGES,
                    _LABELS,
                ),
            ),
            findings=self._findings(easy, hard, context),
            finding_counts={
                "above_share_of_positive_score": hard.height,
                "all_negatives_too_easy": easy.height,
            },
            notes=_notes(scored.note, unusable),
        )

    def _findings(
        self, easy: pl.DataFrame, hard: pl.DataFrame, context: AuditContext
    ) -> pl.DataFrame:
        return pl.concat(
            [
                findings_of(
                    self.name,
                    "above_share_of_positive_score",
                    rows=hard["row"],
                    documents=hard["document"],
                    values=hard["ratio"],
                    at_most=context.max_findings,
                ),
                findings_of(
                    self.name,
                    "all_negatives_too_easy",
                    rows=easy["row"],
                    values=1 - easy["ratio"],
                    at_most=context.max_findings,
                ),
            ]
        )

    def _scored(self, data: AuditedSet, context: AuditContext) -> _Scored:
        every = data.rows.height
        if data.has_scores() or context.encoder is None:
            links = data.links.filter(pl.col("score").is_finite())
            return _Scored(links, every, every, "")
        rows = context.sample("hardness", every, self.sample_rows)
        links = data.links.join(
            pl.DataFrame({"row": rows.astype(np.int32)}),
            on="row",
            how="semi",
            maintain_order="left",
        )
        queries = data.rows["query"].gather(links["row"]).to_numpy()
        documents = data.documents["text"].gather(links["document"]).to_numpy()
        left = encode_texts(data, context.encoder, queries, "query")
        right = encode_texts(data, context.encoder, documents, "document")
        scores = np.einsum("nd,nd->n", left, right)
        links = links.with_columns(score=pl.Series(scores, dtype=pl.Float32))
        note = f"No scores: {len(rows)} of {every} rows were scored by {context.encoder.name}."
        return _Scored(links, len(rows), every, note)


def _ratios(links: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return `row`, `document`, `ratio` of negatives, and rows whose positive scores 0 or less."""
    score = pl.col("score").cast(pl.Float64)
    hardest = links.filter(pl.col("role") == POSITIVE).group_by("row").agg(positive=score.min())
    usable = hardest.filter(pl.col("positive") > 0)
    joined = links.filter(pl.col("role") == NEGATIVE).join(usable, on="row", maintain_order="left")
    ratios = joined.select("row", "document", ratio=score / pl.col("positive"))
    return ratios, hardest.height - usable.height


def _notes(note: str, unusable: int) -> tuple[str, ...]:
    notes = [note] if note else []
    if unusable:
        notes.append(f"{unusable} rows have a positive that scores 0 or less: left out.")
    return tuple(notes)
