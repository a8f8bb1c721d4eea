"""What later commands found out about a finished data set: its audit, its probe, its changes.

The files lie beside the data set and may be older than it, so each says what it looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from data_cards import layout
from data_cards.manifest import DataSetManifest
from sdg import store
from sdg.errors import DataError


class _Told(BaseModel):
    """What the card takes from a file of another command; what else is in it is that command's."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class FigureEvidence(_Told):
    """A number of a metric.

    Attributes:
        name: Unique in its metric.
        value: The number; of a sample, the estimate.
        unit: "share" is a fraction in [0, 1].
        low: Lower end of the 95 % interval, if it is an estimate.
        high: Upper end.
        sample: How many were looked at.
        population: Of so many.
        label: What it is, for people; "" if the name says it.
    """

    name: str
    value: float
    unit: str
    low: float | None
    high: float | None
    sample: int
    population: int
    label: str = ""


class MetricEvidence(_Told):
    """A metric of the audit.

    Attributes:
        title: For people.
        figures: In order.
        skipped: Why nothing was measured; "" if it was.
        notes: What a reader must know.
    """

    title: str
    figures: tuple[FigureEvidence, ...]
    skipped: str
    notes: tuple[str, ...]


class GateEvidence(_Told):
    """A threshold and whether it held.

    Attributes:
        figure: `<metric>.<figure>`.
        bound: Which side is bounded.
        limit: The threshold.
        value: What was measured.
        passed: Whether it held.
    """

    figure: str
    bound: Literal["max", "min"]
    limit: float
    value: float
    passed: bool


class AuditEvidence(_Told):
    """DIR/audit/metrics.json.

    Attributes:
        format_version: Of the file.
        seed: Of the samples.
        metrics: By name.
        gates: In order.
        files: Path -> sha256 of what was audited.
    """

    format_version: Literal["0.1.0"]
    seed: int
    metrics: dict[str, MetricEvidence]
    gates: tuple[GateEvidence, ...]
    files: dict[str, str]


class Interval(_Told):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class EvaluationEvidence(_Told):
    """What a probe was evaluated on."""

    name: str
    queries: int
    documents: int


class ArmEvidence(_Told):
    """A model of the probe: "before" training, or after it with one kind of negatives."""

    name: str
    ndcg_at_10: Interval
    recall_at_100: Interval
    gain_ndcg_at_10: Interval | None


class ProbeEvidence(_Told):
    """DIR/audit/probe.json.

    Attributes:
        format_version: Of the file.
        eval: What it was evaluated on.
        model: That was trained.
        steps: Of every arm.
        arms: In order, "before" first.
        files: Path -> sha256 of what was trained on; null if the file does not say.
    """

    format_version: Literal["0.1.0"]
    eval: EvaluationEvidence
    model: str
    steps: int
    arms: tuple[ArmEvidence, ...]
    files: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is; nothing, as long as no command has looked at the data set.

    Attributes:
        audit: Of `pairmill audit`.
        probe: Of `pairmill probe`.
        changelog: Markdown of DIR/CHANGELOG.md; "" if there is none.
    """

    audit: AuditEvidence | None = None
    probe: ProbeEvidence | None = None
    changelog: str = ""


M = TypeVar("M", bound=BaseModel)


def read_evidence(directory: Path) -> Evidence:
    """Return the evidence that lies in the directory of a data set.

    Raises:
        DataError: If a file is there but cannot be read as what it should be.
    """
    changelog = directory / layout.CHANGELOG
    try:
        text = changelog.read_text(encoding="utf-8") if changelog.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{changelog}` must be a readable UTF-8 text, but reading it gave: {error}. "
            "Save it as UTF-8."
        ) from error
    folder = directory / layout.AUDIT
    return Evidence(
        _read(folder / layout.METRICS, AuditEvidence, "pairmill audit"),
        _read(folder / layout.PROBE, ProbeEvidence, "pairmill probe"),
        text,
    )


def is_current(files: Mapping[str, str] | None, manifest: DataSetManifest) -> bool:
    """Return whether `files` are the data set's own, with at least all files of rows among them."""
    if files is None:
        return False
    own = {path: record.sha256 for path, record in manifest.files.items()}
    rows = {path for path in own if path.startswith(f"{layout.DATA}/")}
    return rows <= files.keys() and all(own.get(path) == digest for path, digest in files.items())


def _read(path: Path, kind: type[M], command: str) -> M | None:
    if not path.is_file():
        return None
    try:
        return kind.model_validate(store.read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise DataError(
            f"`{path}` must be what `{command}` writes, but `{where}` is wrong: {first['msg']} "
            f"({error.error_count()} faults). Delete it, or run `{command}` again."
        ) from error
