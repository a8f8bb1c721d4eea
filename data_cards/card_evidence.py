"""Evidence as the card shows it: figures with their intervals, gates, the probe's arms."""

from __future__ import annotations

from typing import Any, NamedTuple

from data_cards.evidence import AuditEvidence, Evidence, FigureEvidence, Interval, is_current
from data_cards.manifest import DataSetManifest

# The metric about evaluation sets has a section of its own.
_DECONTAMINATION = "contamination"


class FigureLine(NamedTuple):
    """A line of the table of figures; all are texts for people."""

    metric: str
    figure: str
    value: str
    interval: str
    sample: str


class ArmLine(NamedTuple):
    """A line of the table of the probe."""

    name: str
    ndcg: str
    recall: str
    gain: str


def evidence_facts(manifest: DataSetManifest, evidence: Evidence) -> dict[str, Any]:
    """Return what the template may use of the evidence.

    An audit of other files than the data set has now is old, and none of its figures is shown.
    """
    audit, probe = evidence.audit, evidence.probe
    is_old_audit = audit is not None and not is_current(audit.files, manifest)
    is_old_probe = probe is not None and probe.files is not None
    is_old_probe = is_old_probe and not is_current(probe.files if probe else None, manifest)
    shown_audit = None if is_old_audit else audit
    shown_probe = None if is_old_probe else probe
    return {
        "is_old_audit": is_old_audit,
        "is_old_probe": is_old_probe,
        "audit": shown_audit,
        "audit_figures": _figures(shown_audit, decontamination=False),
        "num_figures": _num_figures(shown_audit),
        "audit_skipped": _skipped(shown_audit, decontamination=False),
        "contamination_skipped": _skipped(shown_audit, decontamination=True),
        "gates": [] if shown_audit is None else shown_audit.gates,
        "contamination": _figures(shown_audit, decontamination=True),
        "contamination_notes": _notes(shown_audit),
        "probe": shown_probe,
        "is_undated_probe": shown_probe is not None and shown_probe.files is None,
        "arms": []
        if shown_probe is None
        else [
            ArmLine(
                arm.name,
                _interval(arm.ndcg_at_10),
                _interval(arm.recall_at_100),
                "" if arm.gain_ndcg_at_10 is None else _interval(arm.gain_ndcg_at_10, "+"),
            )
            for arm in shown_probe.arms
        ],
    }


def shown(value: float, unit: str) -> str:
    """Return a figure for people: a share in per cent, a whole number without a point."""
    if unit == "share":
        return f"{100 * value:.1f} %"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.3f}"


def _is_decontamination(metric: str) -> bool:
    return _DECONTAMINATION in metric


def _figures(audit: AuditEvidence | None, *, decontamination: bool) -> list[FigureLine]:
    """Return all figures about evaluation sets; of any other metric the first and those of gates.

    A metric's first figure is the one that sums it up.
    """
    if audit is None:
        return []
    gated = {gate.figure for gate in audit.gates}
    return [
        FigureLine(
            metric.title,
            figure.label.strip() or figure.name,
            shown(figure.value, figure.unit),
            _bounds(figure),
            f"{figure.sample:,} of {figure.population:,}",
        )
        for name, metric in sorted(audit.metrics.items())
        if _is_decontamination(name) is decontamination and not metric.skipped
        for number, figure in enumerate(metric.figures)
        if decontamination or not number or f"{name}.{figure.name}" in gated
    ]


def _num_figures(audit: AuditEvidence | None) -> int:
    metrics = {} if audit is None else audit.metrics
    return sum(len(m.figures) for n, m in metrics.items() if not _is_decontamination(n))


def _bounds(figure: FigureEvidence) -> str:
    if figure.low is None or figure.high is None:
        return "none needed" if figure.sample == figure.population else "none"
    return f"{shown(figure.low, figure.unit)} to {shown(figure.high, figure.unit)}"


def _skipped(audit: AuditEvidence | None, *, decontamination: bool) -> list[tuple[str, str]]:
    if audit is None:
        return []
    return [
        (metric.title, metric.skipped)
        for name, metric in sorted(audit.metrics.items())
        if metric.skipped and _is_decontamination(name) is decontamination
    ]


def _notes(audit: AuditEvidence | None) -> list[str]:
    if audit is None:
        return []
    return [
        note
        for name, metric in sorted(audit.metrics.items())
        if _is_decontamination(name)
        for note in metric.notes
    ]


def _interval(interval: Interval, sign: str = "") -> str:
    low, high = f"{interval.low:{sign}.3f}", f"{interval.high:{sign}.3f}"
    return f"{interval.value:{sign}.3f} ({low} to {high})"
