"""`pairmill audit`: a data set of any layout -> metrics, findings, gates."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from data_cards import layout
from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.gates import NOT_GIVEN
from data_cards.audit.layouts import detect
from data_cards.audit.metric import AuditContext
from data_cards.audit.open_source import open_source
from data_cards.audit.reference import read_reference
from data_cards.audit.run import (
    FINDINGS_FILE,
    METRICS_FILE,
    REPORT_FILE,
    AuditResult,
    checksums,
    run_audit,
    write_result,
)
from data_cards.manifest import DataSetManifest
from flows import resources
from flows.asking import JournalAsk
from flows.audit_config import AuditCommandConfig
from flows.audit_hub import fetch, is_hub_id
from flows.audit_judge import CascadeJudge
from flows.card_command import describe_again
from flows.lock import locked
from flows.progress import stage_progress
from flows.settings import parse_settings, read_settings
from flows.workspace import Workspace
from mining.encoders import ENCODERS, Encoder
from sdg import store
from sdg.errors import BackendError, ConfigError, DataError
from sdg.evaluation_sets import read_evaluation_set

# Findings shown of a failed gate; all listed ones are in the file.
_SHOWN = 5


@dataclass(frozen=True)
class AuditOutcome:
    """A finished audit, as its files say.

    Attributes:
        folder: Holds `report.html`, `metrics.json` and `findings.parquet`.
        figures: What `metrics.json` holds.
        findings: What `findings.parquet` holds.
    """

    folder: Path
    figures: dict[str, Any]
    findings: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return the outcome for `--json`."""
        return {
            "directory": str(self.folder),
            "metrics_json": str(self.folder / METRICS_FILE),
            "findings": str(self.folder / FINDINGS_FILE),
            "report": str(self.folder / REPORT_FILE),
            **self.figures,
        }

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Return the gates that failed, as in `metrics.json`."""
        return [gate for gate in self.figures["gates"] if not gate["passed"]]

    def first_rows(self, gate: dict[str, Any]) -> pl.DataFrame:
        """Return the first findings behind a failed gate, worst first.

        Those of the reason that the figure is named after, `duplicate_query` of
        `duplicate_query_share`, or, if there is none, of its metric.
        """
        metric, _, figure = gate["figure"].partition(".")
        found = self.findings.filter(pl.col("metric") == metric)
        reasons = [r for r in found["reason"].unique() if f"{figure}_".startswith(f"{r}_")]
        if reasons:
            found = found.filter(pl.col("reason") == max(reasons, key=len))
        return found.head(_SHOWN)


def audit_data_set(
    data_set: str, config_path: Path | None, out: Path | None, overrides: Sequence[str] = ()
) -> AuditOutcome:
    """Audit a data set as the command line says; see `audit`.

    Args:
        data_set: A directory or file, or the id of a data set on the hub.
        config_path: YAML of AuditCommandConfig, or None for defaults and `overrides`.
        out: Where metrics and findings go; None: DIR/audit of a Pairmill data set, else beside the
            data, with `-audit` after its name.
        overrides: As for `pairmill build`.

    Raises:
        ConfigError: If the configuration cannot work.
        DataError: If the data set cannot be read.
        BackendError: If the hub, a model or a server fails for good.
    """
    name = "--set" if config_path is None else str(config_path)
    config = parse_settings(read_settings(config_path, overrides), name, AuditCommandConfig)
    path = Path(data_set)
    is_ours = (path / layout.MANIFEST).is_file()
    folder = out or (path / layout.AUDIT if is_ours else _beside(data_set))
    _check_folder(path, folder, is_ours=is_ours)
    if not is_hub_id(data_set):
        # An unknown path or layout is refused before anything is written.
        detect(path, config.layout)
    home = path if is_ours and folder.resolve() == (path / layout.AUDIT).resolve() else folder
    with locked(home), resources.released_at_end():
        return audit(config, data_set, folder, Workspace(home))


def audit(
    config: AuditCommandConfig, data_set: str, folder: Path, space: Workspace
) -> AuditOutcome:
    """Audit a data set into `folder`; what was there before is replaced.

    Args:
        config: What is measured.
        data_set: A directory or file, or a hub id.
        folder: Gets `report.html`, `metrics.json` and `findings.parquet`.
        space: Keeps the judges' requests; large temporary files lie in it, too.
    """
    space.work.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="audit-", dir=space.work))
    try:
        result, data = _measured(config, data_set, scratch, space)
        write_result(result, data, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    home = Path(data_set)
    if folder.resolve() == (home / layout.AUDIT).resolve():
        describe_again(home)  # the card states what was found
    return read_outcome(folder)


def read_outcome(folder: Path) -> AuditOutcome:
    """Return the audit whose files are in `folder`.

    Raises:
        DataError: If one is missing or damaged.
    """
    figures = store.read_json(folder / METRICS_FILE)
    findings = pl.DataFrame(pl.from_arrow(store.read_parquet(folder / FINDINGS_FILE)))
    return AuditOutcome(folder, figures, findings)


def failures(outcome: AuditOutcome) -> list[str]:
    """Return one sentence per failed gate."""
    said = []
    for gate in outcome.failed:
        relation = "at most" if gate["bound"] == "max" else "at least"
        if gate["value"] is None:
            said.append(f"{gate['figure']} was not measured ({_skipped(outcome, gate)})")
            continue
        low, high = gate["low"], gate["high"]
        interval = "" if low is None else f" (95 % interval {spelt(low)} to {spelt(high)})"
        said.append(
            f"{gate['figure']} is {spelt(gate['value'])}{interval}, must be {relation} "
            f"{spelt(gate['limit'])}"
        )
    return said


def spelt(value: float) -> str:
    """Return a figure's number for people."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def _skipped(outcome: AuditOutcome, gate: dict[str, Any]) -> str:
    metrics = outcome.figures["metrics"]
    own = metrics.get(gate["figure"].partition(".")[0])
    asked = {"": own} if own else metrics
    reasons = [
        ": ".join(filter(None, [name, metric["skipped"]]))
        for name, metric in asked.items()
        if metric["skipped"]
    ]
    return "; ".join(reasons) or NOT_GIVEN


def _measured(
    config: AuditCommandConfig, data_set: str, scratch: Path, space: Workspace
) -> tuple[AuditResult, AuditedSet]:
    path, notes = Path(data_set), list[str]()
    if is_hub_id(data_set):
        path = scratch / "hub"
        commit = fetch(data_set, config.subset, config.revision, path)
        notes.append(f"from the hub: {data_set} at commit {commit}")
    source = detect(path, config.layout).source(path)
    if is_hub_id(data_set):
        source = replace(source, name=data_set)
    encoder = _encoder(config, source.manifest, notes)
    source = replace(source, notes=(*source.notes, *notes))
    context = AuditContext(
        seed=config.seed,
        max_findings=config.max_findings,
        encoder=None if encoder is None else resources.held(encoder),
        judge=_judge(config, space),
        reference=read_reference(config.reference),
        evaluation_sets=tuple(read_evaluation_set(one) for one in config.against),
        scratch=scratch,
    )
    files = checksums(source)
    with _progress("open", "rows") as report:
        data = open_source(source, scratch, report=report)
    watch = partial(_progress, unit="steps")
    return run_audit(data, files, config.chosen, config.limits, context, watch), data


def _judge(config: AuditCommandConfig, space: Workspace) -> CascadeJudge | None:
    if not config.judge.enabled:
        return None
    ask = JournalAsk(config.generators, space.journal)
    return CascadeJudge(config.judge, ask, config.seed)


def _encoder(
    config: AuditCommandConfig, manifest: DataSetManifest | None, notes: list[str]
) -> Encoder | None:
    """Return the encoder to compare meanings with; a note says why there is none."""
    if config.encoder is None or isinstance(config.encoder, Encoder):
        return config.encoder
    given = None if manifest is None else manifest.config.get("encoder")
    if not isinstance(given, dict) or (manifest and manifest.config.get("vectors")):
        return None
    try:
        encoder = ENCODERS.build(given)
        # Asks for the package and the model; what is missing here is no fault of the data.
        resources.held(encoder).revision()
    except (ConfigError, DataError, BackendError, ValueError) as error:
        notes.append(f"the encoder of this data set cannot be had here: {error}")
        return None
    return encoder


@contextmanager
def _progress(name: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a report (done, total) that opens its bar at the first call."""
    with ExitStack() as stack:
        bars: list[Any] = []
        before = 0

        def report(done: int, total: int) -> None:
            nonlocal before
            if not bars:
                bars.append(stack.enter_context(stage_progress(name, unit, total)))
            bars[0].advance(done - before)
            before = done

        yield report


def _beside(data_set: str) -> Path:
    if is_hub_id(data_set):
        return Path(f"{data_set.replace('/', '-')}-audit")
    path = Path(data_set).resolve()
    return path.with_name(f"{path.name}-audit")


def _check_folder(path: Path, folder: Path, *, is_ours: bool) -> None:
    data, ours = path.resolve(), folder.resolve()
    if not is_ours and path.is_dir() and (data == ours or data in ours.parents):
        raise ConfigError(
            f"`--out` must be apart from the data that is read, but is {folder} inside {path}: "
            "the next audit would read it, too. Give another directory."
        )
