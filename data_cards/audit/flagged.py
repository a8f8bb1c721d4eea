"""From texts with a flaw to shares of rows and documents, findings and a table of kinds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Breakdown, Figure, Measurement, share
from data_cards.audit.metric import AuditContext
from data_cards.audit.sides import document_texts, text_findings


def measure_flags(
    metric: str,
    data: AuditedSet,
    flags: pl.DataFrame,
    kinds: Sequence[str],
    context: AuditContext,
) -> Measurement:
    """Return the shares of rows and documents that have any flaw and each flaw.

    Args:
        metric: Name of the metric.
        data: All its texts were looked at.
        flags: `place` of the text, `kind`, `detail`; a text may have several of a kind.
        kinds: In the order in which they are shown; each is a reason of findings.
        context: Says how many findings are listed.
    """
    figures = _shares(data, flags["place"].to_numpy(), "")
    lines: list[tuple[str | int | float, ...]] = []
    findings, counts = [], {}
    for kind in kinds:
        own = flags.filter(pl.col("kind") == kind)
        of_kind = _shares(data, own["place"].to_numpy(), f"{kind}_")
        figures += of_kind
        lines.append((kind, *(round(figure.value * figure.population) for figure in of_kind)))
        texts = own.group_by("place").agg(
            value=pl.len().cast(pl.Float64), detail=pl.col("detail").first()
        )
        listed, counts[kind] = text_findings(metric, kind, data, texts, context.max_findings)
        findings.append(listed)
    table = Breakdown("kinds", "What was found", ("kind", "queries", "documents"), tuple(lines))
    return Measurement(
        figures=tuple(figures),
        breakdowns=(table,),
        findings=pl.concat(findings),
        finding_counts=counts,
    )


def _shares(data: AuditedSet, places: np.ndarray, prefix: str) -> list[Figure]:
    is_flagged = np.zeros(len(data.texts), bool)
    is_flagged[places] = True
    queries = is_flagged[data.rows["query"].to_numpy()]
    documents = is_flagged[document_texts(data)]
    what = f"with {prefix.replace('_', ' ').strip() or 'any of these'}"
    return [
        share(f"{prefix}query_share", int(queries.sum()), len(queries), label=f"queries {what}"),
        share(
            f"{prefix}document_share",
            int(documents.sum()),
            len(documents),
            label=f"documents {what}",
        ),
    ]
