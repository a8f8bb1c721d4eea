"""Tables of results as Markdown, so that what is printed can go into RESULTS.md as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Cell = str | int | float | None


def render_table(rows: Sequence[Mapping[str, Cell]]) -> str:
    """Return rows as a Markdown table; the first row's keys are the columns.

    All columns but the first are aligned right; None is a dash.
    """
    if not rows:
        return ""
    columns = list(rows[0])
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [
        max(len(c) for c in ["---", name, *column]) for name, column in _zipped(columns, cells)
    ]
    is_number = [place > 0 for place in range(len(columns))]
    rule = [
        "-" * (width - 1) + (":" if number else "-")
        for width, number in zip(widths, is_number, strict=True)
    ]
    lines = [columns, rule, *cells]
    return "\n".join(_line(line, widths, is_number) for line in lines)


def _zipped(columns: list[str], cells: list[list[str]]) -> list[tuple[str, list[str]]]:
    return [(name, [row[place] for row in cells]) for place, name in enumerate(columns)]


def _line(cells: list[str], widths: list[int], is_number: list[bool]) -> str:
    padded = [
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(cells, widths, is_number, strict=True)
    ]
    return "| " + " | ".join(padded) + " |"


def _text(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        if abs(value) >= 100:
            return f"{value:,.0f}"
        return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else value
