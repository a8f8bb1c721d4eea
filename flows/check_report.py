"""What `pairmill check` prints: a table on a terminal, a line per question elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_cards.escape import printable
from flows.check import Checked, exit_status

_STYLES: Final = {"ok": "green", "failed": "bold red", "skipped": "yellow"}


def check_json(checked: Sequence[Checked]) -> dict[str, Any]:
    """Return the outcome for `--json`."""
    status = exit_status(checked)
    return {
        "ok": status == 0,
        "exit_status": status,
        "counts": dict(Counter(one.status for one in checked)),
        "checks": [one.to_json() for one in checked],
    }


def print_line(checked: Checked, console: Console) -> None:
    """Print one question as one line, as soon as it is answered."""
    title = printable(f"{checked.kind} {checked.name}")
    line = f"{checked.status:<8} {title}: {checked.text}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_checks(checked: Sequence[Checked], console: Console) -> None:
    """Print every question as a row of a table, and how many there are of each status."""
    table = Table(title="Checked", title_justify="left", show_lines=False)
    for column in ("status", "what", "told"):
        table.add_column(column, overflow="fold")
    table.add_column("seconds", justify="right")
    for one in checked:
        table.add_row(
            Text(one.status, style=_STYLES[one.status]),
            Text(printable(f"{one.kind} {one.name}")),
            Text(one.text),
            f"{one.seconds:,.1f}",
        )
    console.print(table)


def print_summary(checked: Sequence[Checked], console: Console) -> None:
    """Print how many questions have each status."""
    counts = Counter[str](one.status for one in checked)
    told = ", ".join(f"{counts[status]} {status}" for status in _STYLES if counts[status])
    console.print(told, markup=False, highlight=False)
