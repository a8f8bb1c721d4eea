"""What audit and probe found is in the card, but only if it is about these files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from data_cards import layout
from data_cards.card import render_card
from data_cards.evidence import (
    AuditEvidence,
    Evidence,
    ProbeEvidence,
    is_current,
    read_evidence,
)
from data_cards.manifest import DataSetManifest, load_manifest
from data_cards.statistics import DataSetStatistics, compute_statistics
from data_cards.verify import verify_data_set
from sdg import store
from sdg.errors import DataError
from tests.data_cards import tiny
from tests.data_cards.test_card import table_after


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def manifest(finished: Path) -> DataSetManifest:
    return load_manifest(finished)


@pytest.fixture(scope="module")
def statistics(finished: Path) -> DataSetStatistics:
    return compute_statistics(finished)


@pytest.fixture
def directory(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def files_of(manifest: DataSetManifest) -> dict[str, str]:
    return {path: record.sha256 for path, record in manifest.files.items()}


def figure(name: str, value: float, **more: Any) -> dict[str, Any]:
    fields = {"unit": "share", "low": None, "high": None, "sample": 9, "population": 9}
    return {"name": name, "value": value, **fields, **more}


def metrics_of(manifest: DataSetManifest, **changes: Any) -> dict[str, Any]:
    return {
        "format_version": "0.1.0",
        "seed": 7,
        "metrics": {
            "false_negatives": {
                "title": "False negatives",
                "figures": [figure("rate", 0.1, low=0.05, high=0.2, sample=4, label="judged")],
                "skipped": "",
                "notes": [],
            },
            "lengths": {"title": "Lengths", "figures": [], "skipped": "no texts", "notes": []},
            "decontamination": {
                "title": "Decontamination",
                "figures": [figure("queries", 2, unit="count")],
                "skipped": "",
                "notes": ["13-grams of `made_up`"],
            },
        },
        "gates": [
            {
                "figure": "false_negatives.rate",
                "bound": "max",
                "limit": 0.05,
                "value": 0.1,
                "passed": False,
            }
        ],
        "files": files_of(manifest),
        **changes,
    }


def probe_of(**changes: Any) -> dict[str, Any]:
    def arm(name: str, value: float, gain: float | None) -> dict[str, Any]:
        interval = {"value": value, "low": value - 0.1, "high": value + 0.1}
        own = None if gain is None else {"value": gain, "low": gain - 0.1, "high": gain + 0.1}
        return {
            "name": name,
            "ndcg_at_10": interval,
            "recall_at_100": interval,
            "gain_ndcg_at_10": own,
        }

    return {
        "format_version": "0.1.0",
        "eval": {"name": "made-up", "queries": 40, "documents": 1234},
        "model": "mini",
        "steps": 100,
        "arms": [arm("before", 0.5, None), arm("random", 0.625, 0.125)],
        "something_new": {"is": "not read"},
        **changes,
    }


def card_with(
    manifest: DataSetManifest,
    statistics: DataSetStatistics,
    audit: dict[str, Any] | None = None,
    probe: dict[str, Any] | None = None,
    changelog: str = "",
) -> str:
    evidence = Evidence(
        None if audit is None else AuditEvidence.model_validate(audit),
        None if probe is None else ProbeEvidence.model_validate(probe),
        changelog,
    )
    return render_card(manifest, statistics, evidence)


def test_without_evidence_the_card_says_that_nobody_looked(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = card_with(manifest, statistics)
    assert "Not audited yet: run `pairmill audit`." in text
    assert "Not probed yet: run `pairmill probe`." in text
    assert "These files were compared with no evaluation set." in text
    assert "## Changelog\n\nNone is kept." in text


def test_figures_gates_and_hits_of_the_audit_are_in_the_card(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = card_with(manifest, statistics, metrics_of(manifest))
    quality = text.split("## Quality evidence")[1].split("\n## ")[0]
    assert table_after(text, "## Quality evidence") == [
        ["False negatives", "judged", "10.0 %", "5.0 % to 20.0 %", "4 of 9"]
    ]
    assert "- Not measured: Lengths (no texts)\n\n" in quality
    assert "| `false_negatives.rate` | max 0.05 | 0.1 | no |" in quality
    assert "Decontamination" not in quality
    assert table_after(text, "## Decontamination") == [
        ["Decontamination", "queries", "2", "none needed", "9 of 9"]
    ]
    assert "- 13-grams of \\`made_up\\`" in text
    assert "Not audited yet" not in text


def test_of_a_metric_the_first_figure_and_those_of_gates_are_shown(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    audit = metrics_of(manifest)
    figures = [figure("first", 1), figure("other", 2), figure("rate", 3)]
    audit["metrics"]["false_negatives"]["figures"] = figures
    audit["metrics"]["decontamination"] |= {"figures": [], "skipped": "no block list"}
    text = card_with(manifest, statistics, audit)
    assert [line[1] for line in table_after(text, "## Quality evidence")] == ["first", "rate"]
    assert "Of 3 figures these are the first of each metric" in text
    assert "These files were compared with no evaluation set: no block list." in text


def test_arms_of_the_probe_are_in_the_card(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = card_with(manifest, statistics, probe=probe_of(files=files_of(manifest)))
    assert "trained `mini` for 100 steps and evaluated it on `made-up` (40 queries, 1,234" in text
    assert table_after(text, "### Trained on it") == [
        ["`before`", "0.500 (0.400 to 0.600)", "0.500 (0.400 to 0.600)", ""],
        [
            "`random`",
            "0.625 (0.525 to 0.725)",
            "0.625 (0.525 to 0.725)",
            "+0.125 (+0.025 to +0.225)",
        ],
    ]
    assert "it may be older" not in text
    assert "it may be older" in card_with(manifest, statistics, probe=probe_of())


def test_evidence_about_other_files_is_named_as_old_and_not_shown(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    other = dict.fromkeys(files_of(manifest), "0" * 64)
    text = card_with(manifest, statistics, metrics_of(manifest, files=other), probe_of(files=other))
    assert "**An audit lies in `audit/`, but of other files" in text
    assert "**A probe lies in `audit/`, but of other files" in text
    assert "The audit is of other files than these" in text
    assert not re.search("10.0 %.*5.0 %|0.625|Not audited yet|Not probed yet", text)


@pytest.mark.parametrize(
    ("change", "current"),
    [
        (lambda files: files, True),
        (lambda files: {p: f for p, f in files.items() if p.startswith("data/")}, True),
        (lambda files: {p: f for p, f in files.items() if "train" not in p}, False),
        (lambda files: {**files, "data/more.parquet": "0" * 64}, False),
        (lambda files: {**files, next(iter(files)): "0" * 64}, False),
        (lambda _: {}, False),
        (lambda _: None, False),
    ],
    ids=["all", "rows alone", "a file of rows missing", "a file more", "another", "none", "unsaid"],
)
def test_evidence_is_current_if_it_saw_all_rows_and_nothing_else(
    change: Any, current: bool, manifest: DataSetManifest
) -> None:
    assert is_current(change(files_of(manifest)), manifest) is current


def test_a_new_audit_makes_the_card_out_of_date_until_it_is_rendered(
    directory: Path, manifest: DataSetManifest
) -> None:
    store.write_json(directory / layout.AUDIT / layout.METRICS, metrics_of(manifest))
    problems = [str(p) for p in verify_data_set(directory)]
    assert len(problems) == 1
    assert problems[0].startswith("card: line ")
    assert problems[0].endswith("Run `pairmill card`.")
    tiny.write_card(directory)
    assert verify_data_set(directory) == []
    shutil.rmtree(directory / layout.AUDIT)
    assert len(verify_data_set(directory)) == 1


@pytest.mark.parametrize("name", [layout.METRICS, layout.PROBE])
@pytest.mark.parametrize("value", [{}, {"format_version": "9"}, []])
def test_a_file_that_is_no_evidence_is_refused(name: str, value: Any, directory: Path) -> None:
    store.write_json(directory / layout.AUDIT / name, value)
    with pytest.raises(DataError, match=re.escape(name)):
        read_evidence(directory)
    assert [p.check for p in verify_data_set(directory)] == ["card"]


def test_the_owners_changelog_is_shown_with_lower_headings(directory: Path) -> None:
    changes = "# Changelog\n\n## [1.0.0]\n\n- First <b>rows</b>.\n"
    store.write_text(directory / layout.CHANGELOG, changes)
    tiny.write_card(directory)
    text = (directory / layout.CARD).read_text()
    shown = "### Changelog\n\n#### [1.0.0]\n\n- First &lt;b>rows&lt;/b>.\n"
    assert text.endswith(f"## Changelog\n\n{shown}")
    assert verify_data_set(directory) == []


@pytest.mark.parametrize("hostile", tiny.HOSTILE_TEXTS, ids=repr)
def test_hostile_evidence_stays_text_in_the_card(
    hostile: str, manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    audit = metrics_of(manifest)
    audit["metrics"]["decontamination"]["notes"] = [hostile]
    audit["metrics"]["false_negatives"]["title"] = hostile
    audit["metrics"]["lengths"] |= {"title": hostile, "skipped": hostile}
    audit["gates"][0]["figure"] = hostile
    probe = probe_of(model=hostile, eval={"name": hostile, "queries": 1, "documents": 1})
    body = card_with(manifest, statistics, audit, probe).split("\n---\n", 1)[1]
    plain = card_with(manifest, statistics, metrics_of(manifest), probe_of())
    tiny.check_inert(body)
    assert body.count("\n|") == plain.split("\n---\n", 1)[1].count("\n|")
