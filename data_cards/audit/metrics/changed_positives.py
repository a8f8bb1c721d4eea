"""How often relabelling found a better positive than the document a query was written for."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Breakdown, Measurement, share
from data_cards.audit.metric import METRICS, AuditContext, Metric


@METRICS.register("changed_positives")
class ChangedPositives(Metric):
    """Share of rows whose positive was changed by relabelling."""

    title: ClassVar[str] = "Changed positives"
    about: ClassVar[str] = (
        "Gecko changes about 15 %; far fewer mean that relabelling did nothing, far more that "
        "queries do not fit their documents."
    )
    figures: ClassVar[tuple[str, ...]] = ("changed",)

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return the share, of all and by language; skipped if nothing was relabelled."""
        del context
        is_changed = data.rows["original_positive"] != ""
        was_relabelled = data.manifest is not None and data.manifest.relabel is not None
        if not was_relabelled and not is_changed.any():
            return Measurement(skipped="positives were not relabelled")
        changed = int(is_changed.sum())
        lines = (
            data.rows.select("query_language", changed=is_changed)
            .group_by("query_language")
            .agg(pl.len(), pl.col("changed").sum(), share=pl.col("changed").mean().round(4))
            .sort("query_language")
        )
        columns = ("query language", "rows", "changed", "share")
        return Measurement(
            figures=(share("changed", changed, data.rows.height, label="positives changed"),),
            breakdowns=(Breakdown("by_language", "By language", columns, tuple(lines.rows())),),
        )
