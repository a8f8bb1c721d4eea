"""All metrics over one data set -> `AuditResult` -> `metrics.json` and `findings.parquet`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.gates import Gate, GateResult, judge_gates
from data_cards.audit.measurement import FINDINGS, Measurement
from data_cards.audit.metric import AuditContext, Metric
from data_cards.audit.source import Source
from data_cards.report import render_report
from sdg import store
from sdg.errors import ContractError

METRICS_FILE = "metrics.json"
FINDINGS_FILE = "findings.parquet"
REPORT_FILE = "report.html"
FORMAT_VERSION = "0.1.0"

# A metric's name -> a block in which it is measured, and its progress is reported.
Watch = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Attributes:
        seed: Of every draw.
        metrics: Name -> metric, in the order in which they ran.
        measurements: Name -> what it said.
        gates: What became of every gate.
        name: Of the data set.
        layout: Of the data set.
        rows: Rows audited.
        documents: Documents audited.
        notes: On the data set, for the report.
        files: Path in the data set -> sha256 of what was audited.
        findings: All listed findings: FINDINGS, `query_id` and `doc_id` ("" where there is none).
        seconds: Name -> wall seconds; not written, so that equal audits give equal files.
    """

    seed: int
    metrics: Mapping[str, Metric]
    measurements: Mapping[str, Measurement]
    gates: tuple[GateResult, ...]
    name: str
    layout: str
    rows: int
    documents: int
    notes: tuple[str, ...]
    files: Mapping[str, str]
    findings: pl.DataFrame
    seconds: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return JSON of everything but the findings' rows.

        Raises:
            ContractError: If a metric gives a number that is none (NaN, infinity).
        """
        return {
            "format_version": FORMAT_VERSION,
            "seed": self.seed,
            "metrics": {
                name: _metric_json(self.metrics[name], measurement)
                for name, measurement in self.measurements.items()
            },
            "gates": [
                {key: value for key, value in gate._asdict().items() if key != "reason"}
                for gate in self.gates
            ],
            "data": {
                "name": self.name,
                "layout": self.layout,
                "rows": self.rows,
                "documents": self.documents,
                "notes": list(self.notes),
            },
            "files": dict(self.files),
        }


def run_audit(
    data: AuditedSet,
    files: Mapping[str, str],
    metrics: Sequence[Metric],
    gates: Sequence[Gate],
    context: AuditContext,
    watch: Watch = lambda _name: nullcontext(lambda _done, _total: None),
) -> AuditResult:
    """Return what all metrics and gates say of a data set.

    Args:
        data: Opened.
        files: Path -> sha256 of what was opened.
        metrics: In the order in which they run.
        gates: Limits on their figures.
        context: Given to each metric, with a progress report of its own.
        watch: Called with each metric's name.

    Raises:
        ConfigError: If a gate names no figure, or one of several metrics.
    """
    measurements: dict[str, Measurement] = {}
    seconds: dict[str, float] = {}
    for metric in metrics:
        start = time.monotonic()
        with watch(metric.name) as report:
            measurements[metric.name] = metric.measure(data, replace(context, report=report))
        seconds[metric.name] = time.monotonic() - start
    return AuditResult(
        seed=context.seed,
        metrics={metric.name: metric for metric in metrics},
        measurements=measurements,
        gates=judge_gates(gates, measurements, metrics),
        name=data.name,
        layout=data.layout,
        rows=data.rows.height,
        documents=data.documents.height,
        notes=data.notes,
        files=files,
        findings=_findings(data, measurements),
        seconds=seconds,
    )


def write_result(result: AuditResult, data: AuditedSet, folder: Path) -> None:
    """Write the report, `findings.parquet` and, last, `metrics.json`; equal results, equal bytes.

    Args:
        result: Of the audit.
        data: What was audited; the report shows its rows.
        folder: Gets the files.
    """
    table = result.findings.to_arrow()
    schema = pa.schema(
        [
            (f.name, pa.string() if pa.types.is_large_string(f.type) else f.type)
            for f in table.schema
        ]
    )
    store.write_parquet(folder / FINDINGS_FILE, table.cast(schema))
    figures = result.to_json()
    page = render_report(data, figures, result.findings.select(list(FINDINGS)))
    store.write_text(folder / REPORT_FILE, page)
    store.write_json(folder / METRICS_FILE, figures)


def checksums(source: Source) -> dict[str, str]:
    """Return path -> sha256 of every file that `source` reads."""
    return {name: store.sha256_of(path) for name, path in sorted(source.paths().items())}


def _findings(data: AuditedSet, measurements: Mapping[str, Measurement]) -> pl.DataFrame:
    every = pl.concat([pl.DataFrame(schema=FINDINGS), *(m.findings for m in measurements.values())])
    ids = (
        ("query_id", "row", data.rows["query_id"]),
        ("doc_id", "document", data.documents["doc_id"]),
    )
    columns = []
    for name, place, values in ids:
        known = every[place].replace(-1, None).cast(pl.UInt32)
        columns.append(values.gather(known).fill_null("").alias(name))
    return every.with_columns(columns)


def _metric_json(metric: Metric, measurement: Measurement) -> dict[str, Any]:
    return {
        "title": metric.title,
        "about": metric.about,
        "figures": [
            {key: _plain(value, metric.name) for key, value in figure._asdict().items()}
            for figure in measurement.figures
        ],
        "histograms": [
            {
                "name": histogram.name,
                "title": histogram.title,
                "bars": [
                    {key: _plain(value, metric.name) for key, value in bar._asdict().items()}
                    for bar in histogram.bars
                ],
            }
            for histogram in measurement.histograms
        ],
        "breakdowns": [
            {
                "name": breakdown.name,
                "title": breakdown.title,
                "columns": list(breakdown.columns),
                "lines": [[_plain(cell, metric.name) for cell in line] for line in breakdown.lines],
            }
            for breakdown in measurement.breakdowns
        ],
        "finding_counts": {
            reason: int(number) for reason, number in sorted(measurement.finding_counts.items())
        },
        "skipped": measurement.skipped,
        "notes": list(measurement.notes),
        "settings": metric.model_dump(mode="json"),
    }


def _plain(value: Any, metric: str) -> Any:  # noqa: ANN401 - a JSON value, or NumPy's kind of one
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not np.isfinite(plain):
        raise ContractError(
            f"Every number of a metric must be finite, but {metric!r} gives {plain} instead. "
            "Leave the figure out, or skip the metric, where there is nothing to measure."
        )
    return plain
