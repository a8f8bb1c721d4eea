"""The audit at the end of a build: what was published is measured; gates decide the exit status."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_cards import layout, manifest
from data_cards.audit.run import FINDINGS_FILE, METRICS_FILE, REPORT_FILE
from flows import resources
from flows.audit import AuditOutcome, audit, failures, read_outcome
from flows.audit_config import AuditCommandConfig
from flows.config import RunConfig
from flows.judging import judges_identity
from flows.outcome import RunOutcome
from flows.workspace import Workspace
from mining.encoders import Encoder
from sdg import store
from sdg.errors import DataError
from sdg.evaluation_sets import read_evaluation_set
from sdg.ids import fingerprint

_FILES = (METRICS_FILE, FINDINGS_FILE, REPORT_FILE)
# Says which settings and files the metrics are of.
_RECORD = "audit.json"


def audited(config: RunConfig, outcome: RunOutcome) -> RunOutcome:
    """Return the outcome of a build with that of its audit, if the configuration asks for one.

    An audit of the same files with the same settings is not done again. The data set is whole
    whatever the gates say.
    """
    if not config.audit.enabled:
        return outcome
    settings = _settings(config)
    folder = outcome.directory / layout.AUDIT
    record = outcome.directory / layout.WORK / _RECORD
    wanted = _fingerprint(settings, outcome.directory)
    if not _is_current(record, wanted, folder):
        record.unlink(missing_ok=True)
        audit(settings, str(outcome.directory), folder, Workspace(outcome.directory))
        store.write_json(record, {"fingerprint": wanted, "files": _sums(folder)})
    found = read_outcome(folder)
    return replace(
        outcome,
        figures={**outcome.figures, "audit": _figures(found)},
        failed_gates=tuple(failures(found)),
    )


def _settings(config: RunConfig) -> AuditCommandConfig:
    own = {name: getattr(config.audit, name) for name in type(config.audit).model_fields}
    return AuditCommandConfig.model_validate(
        {**own, "seed": config.seed, "generators": config.generators}
    )


def _fingerprint(settings: AuditCommandConfig, directory: Path) -> str:
    data = manifest.load_manifest(directory)
    encoder = settings.encoder
    reference = Path(settings.reference)
    return fingerprint(
        {
            "pairmill": importlib.metadata.version("pairmill"),
            "data": {name: record.sha256 for name, record in data.files.items()},
            "manifest": data.fingerprint,
            "seed": settings.seed,
            "metrics": [metric.identity() for metric in settings.chosen],
            "gates": settings.gates,
            "max_findings": settings.max_findings,
            "against": [read_evaluation_set(one).sha256() for one in settings.against],
            "reference": store.sha256_of(reference) if settings.reference else "",
            "encoder": [encoder.identity(), resources.held(encoder).revision()]
            if isinstance(encoder, Encoder)
            else encoder,
            "judge": judges_identity(settings.judge, settings.generators, None)
            if settings.judge.enabled
            else None,
        }
    )


def _is_current(record: Path, wanted: str, folder: Path) -> bool:
    if not record.is_file():
        return False
    try:
        found = store.read_json(record)
        return bool(found == {"fingerprint": wanted, "files": _sums(folder)})
    except (DataError, OSError):
        # A damaged record or a missing file: the audit is done again.
        return False


def _sums(folder: Path) -> dict[str, str]:
    return {
        name: store.sha256_of(folder / name) for name in (METRICS_FILE, FINDINGS_FILE, REPORT_FILE)
    }


def _figures(found: AuditOutcome) -> dict[str, Any]:
    metrics = found.figures["metrics"].values()
    return {
        "metrics": len(metrics),
        "skipped": sum(bool(metric["skipped"]) for metric in metrics),
        "findings": sum(sum(metric["finding_counts"].values()) for metric in metrics),
        "gates broken": len(found.failed),
    }
