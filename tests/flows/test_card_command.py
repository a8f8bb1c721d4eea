"""`pairmill card` and `pairmill diff` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_cards import layout
from data_cards.manifest import load_manifest
from data_cards.verify import verify_data_set
from flows.card_command import render_again
from flows.cli import app
from sdg.errors import ConfigError, DataError
from tests.data_cards import tiny


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tiny.write_data_set(tmp_path / "tiny")


def test_a_fact_stated_at_publishing_is_in_manifest_card_and_croissant(directory: Path) -> None:
    facts = ["date_published=2026-11-21", "version=1.0.0", "creators=[Ada, Bob]"]
    path = render_again(directory, facts)
    assert path == directory / layout.CARD
    stated = load_manifest(directory).card
    assert (str(stated.date_published), stated.version) == ("2026-11-21", "1.0.0")
    assert "- Version: 1.0.0; published: 2026-11-21" in path.read_text()
    croissant = json.loads((directory / layout.CROISSANT).read_text())
    assert [c["name"] for c in croissant["creator"]] == ["Ada", "Bob"]
    assert verify_data_set(directory) == []
    before = path.read_text()
    render_again(directory)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("fact", "words"),
    [("colour=red", "colour"), ("version=one", "version"), ("version", "KEY=VALUE")],
)
def test_a_fact_that_cannot_be_stated_changes_nothing(
    fact: str, words: str, directory: Path
) -> None:
    before = (directory / layout.MANIFEST).read_bytes()
    with pytest.raises(ConfigError, match=words):
        render_again(directory, [fact])
    assert (directory / layout.MANIFEST).read_bytes() == before


def test_a_damaged_data_set_is_not_described(directory: Path) -> None:
    (directory / layout.DATA / "train-00000-of-00001.parquet").unlink()
    before = (directory / layout.CARD).read_text()
    with pytest.raises(DataError, match="must be a whole data set"):
        render_again(directory, ["version=1.0.0"])
    assert (directory / layout.CARD).read_text() == before
    assert load_manifest(directory).card.version == ""


def test_the_command_line_prints_paths_and_changes(directory: Path, tmp_path: Path) -> None:
    other = tiny.write_data_set(tmp_path / "other")
    run = CliRunner().invoke(app, ["card", str(other), "--set", "version=2.0.0", "--json"])
    assert json.loads(run.stdout) == {
        "card": str(other / "README.md"),
        "croissant": str(other / "croissant.json"),
    }
    run = CliRunner().invoke(app, ["diff", str(directory), str(other)])
    assert run.exit_code == 0
    assert run.stdout.startswith("## [2.0.0]\n\n9 rows, 9 before: 0 added, 0 removed, 0 changed")
    run = CliRunner().invoke(app, ["diff", str(directory), str(other), "--json"])
    assert json.loads(run.stdout)["new_version"] == "2.0.0"
