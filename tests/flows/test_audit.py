"""`pairmill audit`, and the audit at the end of a build."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import polars as pl
import pyarrow as pa
import pytest
from huggingface_hub import errors

from data_cards.audit.metric import JudgedCase
from flows import cli
from flows.audit import audit_data_set
from flows.audit_judge import CascadeJudge
from flows.build import run_build
from sdg import store
from sdg.errors import BackendError, ConfigError
from sdg.judge.config import JudgeConfig
from sdg.judge.scoring import ScoringJudge
from tests.flows.small import published
from tests.sdg.judge.asked import Answers

HOSTILE = "\x1b[31m<script>\u202e"


class Shared(ScoringJudge):
    """Scores by shared words; nothing for an empty text."""

    name = "shared"

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [
            float(len(set(query.split()) & set(text.split()))) if text else float("nan")
            for query, text in pairs
        ]


def _triplets(path: Path) -> Path:
    rows = [
        {"query": HOSTILE, "pos": [], "neg": ["n"], "id": HOSTILE},
        {"query": "b", "pos": ["p"]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _rows_and_manifest(directory: Path) -> dict[str, str]:
    """Return the checksums of what an audit must not change: all but card and metrics."""
    changing = ("README.md", "audit")
    return {k: v for k, v in published(directory).items() if not k.startswith(changing)}


def _command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Return the exit status of the command line."""
    monkeypatch.setattr(sys, "argv", ["pairmill", *arguments])
    monkeypatch.setattr(cli, "end_at_once_on_interrupt", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_ends_with_0_if_no_gate_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _triplets(tmp_path / "rows.jsonl")
    status = _command(monkeypatch, "audit", str(data), "--json", "--set", "gates.max_counts.rows=2")
    assert status == 0
    said = json.loads(capsys.readouterr().out)
    folder = tmp_path / "rows.jsonl-audit"
    assert said["metrics_json"] == str(folder / "metrics.json")
    assert said["gates"][0]["passed"] is True
    assert said["files"] == {"rows.jsonl": store.sha256_of(data)}
    assert store.read_json(folder / "metrics.json")["data"]["layout"] == "flag_embedding"


def test_a_broken_gate_ends_with_1_and_shows_its_rows_harmlessly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _triplets(tmp_path / "rows.jsonl")
    gate = "gates.max_row_without_positive=0"
    assert _command(monkeypatch, "audit", str(data), "--set", gate) == 1
    said = capsys.readouterr()
    assert "gate BROKEN: counts.row_without_positive 1 <= 0" in said.out
    assert r"\u{1b}[31m<script>\u{202e} row_without_positive" in said.out
    assert "\x1b[31m<script>" not in said.out
    assert "counts.row_without_positive is 1, must be at most 0" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["/nowhere/at/all"], id="no path"),
        pytest.param(["DATA", "--set", "gates.max_nothing=1"], id="unknown figure"),
        pytest.param(["DATA", "--set", "layout=beir"], id="other layout"),
        pytest.param(["DATA", "--set", "mtrics=1"], id="unknown key"),
    ],
)
def test_wrong_input_ends_with_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = str(_triplets(tmp_path / "rows.jsonl"))
    given = [data if argument == "DATA" else argument for argument in arguments]
    assert _command(monkeypatch, "audit", *given) == 2


def test_a_data_set_of_ours_gets_its_audit_beside_the_card_and_keeps_its_files(
    small_data_set: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(small_data_set, tmp_path / "set")
    before = _rows_and_manifest(directory)
    outcome = audit_data_set(str(directory), None, None)
    assert outcome.folder == directory / "audit"
    assert _rows_and_manifest(directory) == before
    rows = pl.read_parquet(directory / "data" / "*.parquet").height
    assert outcome.figures["data"]["rows"] == rows
    assert list((directory / ".work").glob("audit-*")) == []
    first = (directory / "audit/metrics.json").read_bytes()
    audit_data_set(str(directory), None, None)
    assert (directory / "audit/metrics.json").read_bytes() == first


def test_metrics_are_never_written_among_foreign_data(tmp_path: Path) -> None:
    store.write_parquet(tmp_path / "x.parquet", pa.table({"anchor": ["a"], "positive": ["b"]}))
    with pytest.raises(ConfigError, match="must be apart"):
        audit_data_set(str(tmp_path), None, tmp_path / "audit")


def test_the_hub_that_does_not_answer_is_a_failed_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise errors.HTTPError("name or service not known")  # type: ignore[attr-defined]

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    with pytest.raises(BackendError, match="The hub must answer for the data set 'owner/name'"):
        audit_data_set("owner/name", None, tmp_path / "out")


def test_a_judge_gives_each_case_its_own_verdict() -> None:
    settings = JudgeConfig(enabled=True, judges=(Shared(margin=0.0),))
    judge = CascadeJudge(settings, Answers(), 0)
    texts = {"c1": "river bank", "c2": "the long river", "c3": ""}
    cases = [
        JudgedCase(name, "the long river", "eng-Latn", "a river", text)
        for name, text in texts.items()
    ]
    assert judge.name == "shared"
    assert judge.judge(cases) == [False, True, None]


def test_a_build_ends_with_its_audit_and_does_not_audit_twice(
    small_config: Path, small_data_set: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(small_data_set, tmp_path / "set")
    settings = ["audit.enabled=true", "audit.encoder=null", "audit.gates.min_counts.rows=100000"]
    before = _rows_and_manifest(directory)
    first = run_build(small_config, directory, settings)
    assert first.was_current is True
    rows = store.read_json(directory / "audit/metrics.json")["data"]["rows"]
    assert first.failed_gates == (f"counts.rows is {rows}, must be at least 100,000",)
    written = (directory / "audit/metrics.json").stat().st_mtime_ns
    assert run_build(small_config, directory, settings).failed_gates == first.failed_gates
    assert (directory / "audit/metrics.json").stat().st_mtime_ns == written
    kept = run_build(small_config, directory, [*settings[:2], "audit.gates.min_counts.rows=1"])
    assert kept.failed_gates == ()
    assert _rows_and_manifest(directory) == before


def test_the_command_build_ends_with_1_and_leaves_the_data_set_whole(
    small_config: Path,
    small_data_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory = shutil.copytree(small_data_set, tmp_path / "set")
    changes = ["audit.enabled=true", "audit.encoder=null", "audit.gates.max_counts.rows=1"]
    options = [word for change in changes for word in ("--set", change)]
    given = ["build", str(small_config), "--out", str(directory), *options]
    assert _command(monkeypatch, *given) == 1
    assert "gate BROKEN: counts.rows" in capsys.readouterr().out
    assert (directory / "manifest.json").is_file()
    assert store.read_json(directory / "audit/metrics.json")["gates"][0]["passed"] is False
