"""Changes between two versions -> a section for the data set's CHANGELOG.md; a pure function."""

from __future__ import annotations

from collections.abc import Iterator

from data_cards.card_evidence import shown
from data_cards.diff import DataSetDiff, FigureChange, Setting
from data_cards.escape import code
from sdg.ids import canonical_json

# Of a list of settings; all of them are in `--json`.
MAX_LINES = 20
_MAX_VALUE = 80


def render_changes(diff: DataSetDiff) -> str:
    """Return Markdown that begins with a heading of the second level; equal changes, equal text.

    Long lists are cut, and say so. Every name and value from outside is shown as text.
    """
    return "\n".join(_lines(diff)) + "\n"


def _lines(diff: DataSetDiff) -> Iterator[str]:
    version = diff.new_version or "Unreleased"
    yield f"## [{version}]" + (f" - {diff.date_published}" if diff.date_published else "")
    yield ""
    since = f"since {diff.old_version}" if diff.old_version else "since the version before"
    yield (
        f"{diff.new_rows:,} rows, {diff.old_rows:,} before: {diff.added:,} added, "
        f"{diff.removed:,} removed, {diff.changed:,} changed {since}. Documents: "
        f"{diff.documents_added:,} added, {diff.documents_removed:,} removed."
    )
    if diff.changed_columns:
        columns = ", ".join(f"{code(name)} {n:,}" for name, n in diff.changed_columns.items())
        yield ""
        yield f"Rows changed, by column: {columns}."
    if diff.counts:
        yield "\n### Rows\n\n| column | value | before | now |\n|---|---|---:|---:|"
        for count in diff.counts:
            yield f"| {code(count.column)} | {code(count.value)} | {count.old:,} | {count.new:,} |"
    for title, settings in (
        ("Settings", diff.settings),
        ("Models and sources", diff.models),
        ("Prompts", diff.prompts),
        ("Versions", diff.versions),
    ):
        if settings:
            yield f"\n### {title}\n"
            yield from _settings(settings)
    yield "\n### Quality\n"
    yield from _metrics(diff)


def _settings(settings: tuple[Setting, ...]) -> Iterator[str]:
    for setting in settings[:MAX_LINES]:
        yield f"- {code(setting.name)}: {_value(setting.old)} before, now {_value(setting.new)}"
    if len(settings) > MAX_LINES:
        yield f"- and {len(settings) - MAX_LINES:,} more, which `pairmill diff --json` lists"


def _value(value: object) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else canonical_json(value)
    cut = text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + " …"
    return code(cut) or "empty"


def _metrics(diff: DataSetDiff) -> Iterator[str]:
    if not diff.metrics_compared:
        yield "Not compared: not both versions have an audit of their present files."
        return
    if not diff.metrics:
        yield "No figure of the audit moved."
        return
    yield "| figure | before | now | intervals apart |\n|---|---:|---:|---|"
    for figure in diff.metrics:
        apart = {True: "yes", False: "no", None: "no interval"}[figure.is_beyond_chance]
        yield f"| {code(figure.figure)} | {_figure(figure, figure.old)} | " + (
            f"{_figure(figure, figure.new)} | {apart} |"
        )


def _figure(figure: FigureChange, value: float | None) -> str:
    return "none" if value is None else shown(value, figure.unit)
