"""The table at the end of a run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from data_cards.layout import CARD
from data_cards.show import printable
from flows.outcome import RunOutcome, StageOutcome


def print_outcome(outcome: RunOutcome, console: Console) -> None:
    """Print stages, reasons and figures, and where the card is."""
    table = Table(title="Rows in = kept + rejected", title_justify="left")
    for column in ("stage", "unit"):
        table.add_column(column)
    for column in ("in", "kept", "rejected", "shards", "seconds"):
        table.add_column(column, justify="right")
    for stage in outcome.stages:
        table.add_row(*_cells(stage))
    console.print(table)
    for stage in outcome.stages:
        if stage.counts.rejected:
            console.print(f"rejected by {stage.name}: {_reasons(stage)}", markup=False)
    console.print()
    figures = Table(show_header=False, box=None)
    for name, value in outcome.figures.items():
        figures.add_row(name, _text(value))
    console.print(figures)
    if outcome.was_current:
        console.print("Nothing to do: the data set is already what the configuration asks for.")
    console.print(f"card: {printable(str(outcome.directory / CARD))}", markup=False)


def _cells(stage: StageOutcome) -> tuple[str, ...]:
    counts = stage.counts
    reused = stage.shards - stage.computed
    return (
        stage.name,
        stage.unit,
        f"{counts.rows_in:,}",
        f"{counts.kept:,}",
        f"{sum(counts.rejected.values()):,}",
        f"{stage.shards}" if not reused else f"{stage.shards} ({reused} reused)",
        f"{stage.seconds:,.1f}",
    )


def _reasons(stage: StageOutcome) -> str:
    """Return every reason with its count, the most frequent first."""
    reasons = sorted(stage.counts.rejected.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {n:,}" for reason, n in reasons)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    return str(value)
