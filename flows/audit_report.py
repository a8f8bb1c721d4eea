"""An audit on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_cards import layout
from data_cards.audit.run import METRICS_FILE, REPORT_FILE
from data_cards.escape import printable
from flows.audit import AuditOutcome, read_outcome, spelt
from flows.outcome import RunOutcome

_LONGEST = 160
_FIGURES = 3  # of a metric; all are in the report


def print_audit(outcome: AuditOutcome, console: Console) -> None:
    """Print every metric's first figures, the gates, and the first rows behind each failed gate."""
    data = outcome.figures["data"]
    size = f"{data['rows']:,} rows, {data['documents']:,} documents"
    _say(console, f"{data['name']} ({data['layout']}): {size}")
    for note in data["notes"]:
        _say(console, f"note: {note}")
    table = Table(title="Audit", title_justify="left")
    for column in ("metric", "figures", "found"):
        table.add_column(column, justify="right" if column == "found" else "left")
    for metric in outcome.figures["metrics"].values():
        table.add_row(Text(printable(metric["title"])), Text(_figures(metric)), _found(metric))
    console.print(table)
    _print_gates(outcome, outcome.figures["gates"], console)
    _say(console, f"metrics: {outcome.folder / METRICS_FILE}")
    _say(console, f"report: {outcome.folder / REPORT_FILE}")


def print_failed(outcome: RunOutcome, console: Console) -> None:
    """Print the gates of a build's audit that are broken, with the first rows behind each."""
    found = read_outcome(outcome.directory / layout.AUDIT)
    _print_gates(found, [gate for gate in found.figures["gates"] if not gate["passed"]], console)


def _print_gates(outcome: AuditOutcome, gates: list[dict[str, Any]], console: Console) -> None:
    for gate in gates:
        _say(console, f"gate {'kept' if gate['passed'] else 'BROKEN'}: {_gate(gate)}")
        if not gate["passed"]:
            for row in outcome.first_rows(gate).iter_rows(named=True):
                _say(console, f"  {_row(row)}")


def _figures(metric: dict[str, Any]) -> str:
    if metric["skipped"]:
        return printable(f"skipped: {metric['skipped']}")
    figures = [printable(_figure(figure)) for figure in metric["figures"]]
    if len(figures) > _FIGURES:
        figures[_FIGURES:] = [f"… {len(figures) - _FIGURES} more"]
    return "\n".join(figures) or "see the report"


def _figure(figure: dict[str, Any]) -> str:
    is_share = figure["unit"] == "share"
    scale, sign = (100, " %") if is_share else (1, "")
    name = figure["label"] or figure["name"].replace("_", " ")
    text = f"{name}: {spelt(scale * figure['value'])}{sign}"
    if figure["low"] is not None:
        text += f" ({spelt(scale * figure['low'])} to {spelt(scale * figure['high'])}{sign})"
    if figure["sample"] != figure["population"]:
        text += f", {figure['sample']:,} of {figure['population']:,} looked at"
    return text


def _found(metric: dict[str, Any]) -> str:
    total = sum(metric["finding_counts"].values())
    return f"{total:,}" if total else ""


def _gate(gate: dict[str, Any]) -> str:
    relation = "<=" if gate["bound"] == "max" else ">="
    value = "not measured" if gate["value"] is None else spelt(gate["value"])
    interval = "" if gate["low"] is None else f" ({spelt(gate['low'])} to {spelt(gate['high'])})"
    return f"{gate['figure']} {value}{interval} {relation} {spelt(gate['limit'])}"


def _row(row: dict[str, Any]) -> str:
    ids = [row[name] for name in ("query_id", "doc_id") if row[name]]
    text = f"{' '.join(ids)} {row['reason']} {row['detail']}".strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _say(console: Console, text: str) -> None:
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
