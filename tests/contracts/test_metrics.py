"""Every audit metric keeps its promises on data sets that nobody would want."""

from __future__ import annotations

import math

import pytest

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Measurement
from data_cards.audit.metric import METRICS, AuditContext
from tests.data_cards.audit.written import example, written

_HOSTILE = "<script>alert(1)</script> {{ 7*7 }} \x1b[31m\u202e\u200b\x00"


def _odd_sets() -> dict[str, AuditedSet]:
    long = example(_HOSTILE, [_HOSTILE], [_HOSTILE + "x", "y" * 1_000_000], language="???")
    return {
        "no rows": written(),
        "blank texts": written(example("", [""], [""])),
        "no positives": written(example("q", [], ["n"])),
        "hostile and unknown": written(long, example("q", ["p"], language="zzz-Zzzz")),
    }


def _measured(name: str, data: AuditedSet) -> Measurement:
    return METRICS.build({"metric": name}).measure(data, AuditContext(max_findings=2))


@pytest.mark.parametrize("kind", sorted(_odd_sets()))
@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_measures_or_says_why_not(name: str, kind: str) -> None:
    data = _odd_sets()[kind]
    measured = _measured(name, data)
    assert all(math.isfinite(figure.value) for figure in measured.figures)
    if measured.skipped:
        assert measured.figures == () and measured.findings.is_empty()
    listed = dict(measured.findings["reason"].value_counts().iter_rows())
    assert {r: min(n, 2) for r, n in measured.finding_counts.items() if n} == listed
    assert measured.findings["row"].is_between(-1, data.rows.height - 1).all()
    assert measured.findings["document"].is_between(-1, data.documents.height - 1).all()
    assert set(measured.findings["metric"]) <= {name}


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_says_the_same_twice_and_speaks_to_people(name: str) -> None:
    data = _odd_sets()["hostile and unknown"]
    first, second = _measured(name, data), _measured(name, data)
    assert first.figures == second.figures and first.findings.equals(second.findings)
    assert (first.histograms, first.breakdowns) == (second.histograms, second.breakdowns)
    assert METRICS[name].title and METRICS[name].about.endswith(".")
