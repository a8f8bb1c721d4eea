"""An audit's files: the shape that others read, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.gates import parse_gates
from data_cards.audit.layouts import detect
from data_cards.audit.measurement import (
    FINDINGS,
    Bar,
    Breakdown,
    Histogram,
    Measurement,
    count,
    findings_of,
)
from data_cards.audit.metric import METRICS, AuditContext, Metric
from data_cards.audit.open_source import open_source
from data_cards.audit.run import AuditResult, checksums, run_audit, write_result
from sdg.errors import ContractError
from sdg.store import sha256_of
from tests.data_cards.tiny import tables, write_data_set


class Odd(Metric):
    """One of everything."""

    name: ClassVar[str] = "odd"
    title: ClassVar[str] = "Odd"
    about: ClassVar[str] = "For tests."
    value: float = 1.0

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        return Measurement(
            figures=(count("one", 1, 1)._replace(value=self.value),),
            histograms=(Histogram("h", "H", (Bar("a", 2.0, "s"),)),),
            breakdowns=(Breakdown("b", "B", ("language", "rows"), (("eng-Latn", 3),)),),
            findings=pl.concat(
                [
                    findings_of("odd", "is_row", rows=[1], at_most=9),
                    findings_of("odd", "is_document", documents=[2], at_most=9),
                ]
            ),
            finding_counts={"is_row": 1, "is_document": 1},
            notes=("n",),
        )


def _run(tmp_path: Path, metric: Metric) -> tuple[AuditedSet, AuditResult]:
    directory = write_data_set(tmp_path / "set", tables())
    source = detect(directory).source(directory)
    data = open_source(source, tmp_path)
    gates = parse_gates({"max_odd.one": 0.5})
    return data, run_audit(data, checksums(source), [metric], gates, AuditContext(seed=3))


def test_metrics_json_has_the_shape_that_others_read(tmp_path: Path) -> None:
    data, result = _run(tmp_path, Odd())
    write_result(result, data, tmp_path / "out")
    found = json.loads((tmp_path / "out/metrics.json").read_text(encoding="utf-8"))
    files = found.pop("files")
    assert set(files) == {
        str(p.relative_to(tmp_path / "set"))
        for folder in ("data", "corpus")
        for p in (tmp_path / "set" / folder).iterdir()
    }
    assert all(files[name] == sha256_of(tmp_path / "set" / name) for name in files)
    assert found == {
        "format_version": "0.1.0",
        "seed": 3,
        "metrics": {
            "odd": {
                "title": "Odd",
                "about": "For tests.",
                "figures": [
                    {
                        "name": "one",
                        "value": 1.0,
                        "unit": "count",
                        "low": None,
                        "high": None,
                        "sample": 1,
                        "population": 1,
                        "label": "",
                    }
                ],
                "histograms": [
                    {
                        "name": "h",
                        "title": "H",
                        "bars": [{"label": "a", "height": 2.0, "series": "s"}],
                    }
                ],
                "breakdowns": [
                    {
                        "name": "b",
                        "title": "B",
                        "columns": ["language", "rows"],
                        "lines": [["eng-Latn", 3]],
                    }
                ],
                "finding_counts": {"is_row": 1, "is_document": 1},
                "skipped": "",
                "notes": ["n"],
                "settings": {"value": 1.0},
            }
        },
        "gates": [
            {
                "figure": "odd.one",
                "bound": "max",
                "limit": 0.5,
                "value": 1.0,
                "low": None,
                "high": None,
                "passed": False,
            }
        ],
        "data": {
            "name": "Tiny pairs",
            "layout": "pairmill",
            "rows": data.rows.height,
            "documents": data.documents.height,
            "notes": [],
        },
    }


def test_findings_name_query_and_document(tmp_path: Path) -> None:
    data, result = _run(tmp_path, Odd())
    assert result.findings.columns == [*FINDINGS, "query_id", "doc_id"]
    assert result.findings.select("reason", "query_id", "doc_id").rows() == [
        ("is_row", data.rows["query_id"][1], ""),
        ("is_document", "", data.documents["doc_id"][2]),
    ]


def test_equal_audits_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        data, result = _run(tmp_path, Odd())
        write_result(result, data, tmp_path / name)
    for file in ("metrics.json", "findings.parquet", "report.html"):
        assert sha256_of(tmp_path / "a" / file) == sha256_of(tmp_path / "b" / file)


def test_a_number_that_is_none_is_a_fault_of_the_metric(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="'odd' gives nan"):
        _run(tmp_path, Odd(value=float("nan")))[1].to_json()


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_states_the_figures_that_it_gives(name: str, tmp_path: Path) -> None:
    from fnmatch import fnmatchcase

    metric = METRICS[name]()
    directory = write_data_set(tmp_path / "set", tables())
    data = open_source(detect(directory).source(directory), tmp_path)
    found = metric.measure(data, AuditContext()).figures
    unstated = [
        figure.name
        for figure in found
        if not any(fnmatchcase(figure.name, pattern) for pattern in metric.figures)
    ]
    assert metric.figures
    assert unstated == []
