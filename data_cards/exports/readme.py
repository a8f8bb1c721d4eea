"""README.md beside exported files: how to load them, what was left out, whose texts they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from data_cards.card_parts import marked
from data_cards.escape import code, escape_markdown
from data_cards.exports.record import ExportRecord
from data_cards.licences import Notice

_UNITS = ("rows", "positives", "negatives")


def render_readme(
    record: ExportRecord, configurations: Sequence[dict[str, Any]], advice: Iterable[str]
) -> str:
    """Return the README of an export.

    Args:
        record: What was exported.
        configurations: `configs` of the front matter.
        advice: Sentences in Markdown.
    """
    front: dict[str, Any] = {"license": record.licence}
    if configurations:
        front["configs"] = marked(configurations, record.files)
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---",
        f"# {escape_markdown(record.source_name)}: {code(record.format)}",
        f"Written by Pairmill {escape_markdown(record.pairmill_version)} for "
        f"{escape_markdown(record.trainer)}, from the data set with fingerprint "
        f"{code(record.source_fingerprint)}.",
        "\n".join(f"- {sentence}" for sentence in advice),
        "## Settings\n\n" + _table(("setting", "value"), _settings(record)),
        "## What was written and what was not\n\n"
        "In = written + left out, for rows and for the documents in them. A document counts once, "
        "however many lines it is in.\n\n"
        + _table(("split", "of", "in", "written", "left out, by reason"), _counts(record)),
        _notes(record),
        "## Licence and attribution\n\n" + render_notices(record.licence, record.notices),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_notices(licence: str, notices: Iterable[Notice]) -> str:
    """Return the notice of licences as Markdown."""
    rows = [
        (
            escape_markdown(notice.kind),
            escape_markdown(notice.name),
            code(notice.content),
            escape_markdown(notice.licence),
            escape_markdown(notice.attribution) or "—",
        )
        for notice in notices
    ]
    head = ("what", "name", "content", "licence", "attribution")
    return f"As a whole: {code(licence)}.\n\n" + _table(head, rows)


def _settings(record: ExportRecord) -> list[tuple[str, ...]]:
    return [(code(name), code(str(value))) for name, value in sorted(record.settings.items())]


def _counts(record: ExportRecord) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for split, tally in record.splits.items():
        for unit in _UNITS:
            count = tally[unit]
            reasons = ", ".join(f"{code(r)} {n:,}" for r, n in count["left_out"].items())
            figures = (f"{count['in']:,}", f"{count['written']:,}", reasons or "—")
            rows.append((code(split), unit, *figures))
    return rows


def _notes(record: ExportRecord) -> str:
    lines = [
        f"- {code(split)}: {code(name)} {number:,}"
        for split, tally in record.splits.items()
        for name, number in tally["notes"].items()
        if number
    ]
    if record.documents is not None:
        lines.append(f"- documents of the corpus: {record.documents:,}")
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
