"""Card and counts as Prefect artifacts, for people who look at runs in Prefect's own pages."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from data_cards.layout import CARD
from flows.outcome import RunOutcome


def publish_artifacts(outcome: RunOutcome) -> None:
    """Store the card (Markdown) and the counts per stage (a table) with the current flow run."""
    card = (outcome.directory / CARD).read_text(encoding="utf-8")
    create_markdown_artifact(key="pairmill-card", markdown=card, description="Data card")
    rows = [
        {
            "stage": stage.name,
            "unit": stage.unit,
            "in": stage.counts.rows_in,
            "kept": stage.counts.kept,
            "rejected": sum(stage.counts.rejected.values()),
            "reasons": ", ".join(f"{k} {v}" for k, v in stage.counts.rejected.items()),
        }
        for stage in outcome.stages
    ]
    create_table_artifact(key="pairmill-counts", table=rows, description="Rows per stage")
