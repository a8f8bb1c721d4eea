"""The report page: the template filled with figures, and the rows beside it as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import markupsafe
import polars as pl

from data_cards.audit.audited_set import AuditedSet
from data_cards.escape import printable
from data_cards.report.charts import chart_of, figure_text, funnel_of, number
from data_cards.report.rows import browsable_rows

# What could end the JSON's element, or a line, early; all are legal escapes inside JSON strings.
_ESCAPED = {char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def render_report(data: AuditedSet, metrics: Mapping[str, Any], findings: pl.DataFrame) -> str:
    """Return the page, one self-contained HTML file.

    Args:
        data: The audited data set.
        metrics: As in audit/metrics.json.
        findings: Schema FINDINGS, worst first within a reason.

    Returns:
        Equal for equal arguments; texts are shortened and rows sampled, and the page says so.
    """
    browsable = browsable_rows(data, findings, int(metrics["seed"]))
    script = _asset("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            metrics=metrics["metrics"],
            gates=metrics["gates"],
            failed=[gate for gate in metrics["gates"] if not gate["passed"]],
            findings=_finding_counts(metrics["metrics"]),
            found_by={
                name: sum(entry["finding_counts"].values())
                for name, entry in metrics["metrics"].items()
            },
            languages=_languages(data, findings),
            funnel=funnel_of(data.manifest) if data.manifest is not None else (),
            chart_of=chart_of,
            figure_text=figure_text,
            browsable=browsable,
            style=markupsafe.Markup(_asset("report.css")),  # noqa: S704 - our own file
            script=markupsafe.Markup(script),  # noqa: S704 - our own file
            script_hash=_hash(script),
            style_hash=_hash(_asset("report.css")),
            payload=markupsafe.Markup(_json(browsable.payload)),  # noqa: S704 - escaped by `_json`
        )
    )


@cache
def _environment() -> jinja2.Environment:
    # Compiling a template takes longer than rendering it.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("data_cards"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number)
    return environment


def _finalize(value: object) -> object:
    """Spell invisible characters of text out, so that none can reorder or hide what is shown."""
    if isinstance(value, str) and not isinstance(value, markupsafe.Markup):
        return printable(value)
    return value


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for character, escape in _ESCAPED.items():
        text = text.replace(character, escape)
    return text


def _asset(name: str) -> str:
    return (resources.files("data_cards") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the hash by which the page's policy knows an element's content."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _finding_counts(metrics: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Return (metric's title, "metric.reason", count) of all that was found, most first."""
    found = [
        (str(entry["title"]), f"{name}.{reason}", int(count))
        for name, entry in metrics.items()
        for reason, count in entry["finding_counts"].items()
        if count
    ]
    return sorted(found, key=lambda item: (-item[2], item[1]))


def _languages(data: AuditedSet, findings: pl.DataFrame) -> list[tuple[str, int, int, int]]:
    """Return (query language, rows, negatives, rows with a listed finding) by language."""
    flagged = findings.filter(pl.col("row") >= 0).select("row").unique()
    rows = data.rows.select("query_language").with_row_index("row")
    rows = rows.with_columns(pl.col("row").cast(pl.Int32))
    negatives = data.links_of("negative").group_by("row").agg(negatives=pl.len())
    joined = rows.join(negatives, on="row", how="left").join(
        flagged.with_columns(flagged=pl.lit(1, pl.UInt32)), on="row", how="left"
    )
    table = joined.group_by("query_language").agg(
        pl.len(), pl.col("negatives").sum(), pl.col("flagged").sum()
    )
    return [tuple(line) for line in table.sort("query_language").rows()]
