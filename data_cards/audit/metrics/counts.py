"""How much there is: rows, queries, documents, positives and negatives per row."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from data_cards.audit.audited_set import NEGATIVE, POSITIVE, AuditedSet
from data_cards.audit.measurement import Breakdown, Figure, Measurement, count, findings_of
from data_cards.audit.metric import METRICS, AuditContext, Metric


@METRICS.register("counts")
class Counts(Metric):
    """Counts rows per split, language and task; finds rows without a positive or a negative."""

    title: ClassVar[str] = "Counts"
    about: ClassVar[str] = "Rows without a positive cannot be trained on."
    figures: ClassVar[tuple[str, ...]] = (
        "rows",
        "documents",
        "positives_per_row",
        "negatives_per_row",
        "row_without_positive",
        "row_without_negative",
    )

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return counts; rows without a positive, and without a negative where others have some."""
        per_row = _per_row(data)
        bare = per_row.filter(pl.col("positives") == 0)["row"]
        starved = per_row.filter(pl.col("negatives") == 0)["row"]
        if not data.has_negatives():
            starved = starved.clear()
        reasons = {"row_without_positive": bare, "row_without_negative": starved}
        return Measurement(
            figures=(
                count("rows", data.rows.height, data.rows.height, "rows"),
                count("documents", data.documents.height, data.documents.height, "documents"),
                _mean("positives_per_row", per_row["positives"]),
                _mean("negatives_per_row", per_row["negatives"]),
                *(count(reason, len(rows), data.rows.height) for reason, rows in reasons.items()),
            ),
            breakdowns=(_composition(data.rows),),
            findings=pl.concat(
                [
                    findings_of(self.name, reason, rows=rows, at_most=context.max_findings)
                    for reason, rows in reasons.items()
                ]
            ),
            finding_counts={reason: len(rows) for reason, rows in reasons.items()},
        )


def _per_row(data: AuditedSet) -> pl.DataFrame:
    """Return one line per row: `row`, `positives`, `negatives`."""
    role = pl.col("role")
    counted = data.links.group_by("row").agg(
        positives=(role == POSITIVE).sum(), negatives=(role == NEGATIVE).sum()
    )
    every = pl.DataFrame({"row": pl.int_range(data.rows.height, dtype=pl.Int32, eager=True)})
    return every.join(counted, on="row", how="left", maintain_order="left").fill_null(0)


def _mean(name: str, values: pl.Series) -> Figure:
    mean = values.mean()
    value = float(mean) if isinstance(mean, int | float) else 0.0
    return Figure(name, value, "", None, None, len(values), len(values), name.replace("_", " "))


def _composition(rows: pl.DataFrame) -> Breakdown:
    keys = ["split", "task", "query_language"]
    counted = rows.group_by(keys).agg(pl.len()).sort(keys)
    return Breakdown(
        "composition", "Rows", ("split", "task", "query language", "rows"), tuple(counted.rows())
    )
