"""Directories of results: a command writes over what it wrote itself, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.calibration import Wish, calibrate_pairs
from flows.mine import mine_pairs
from flows.result_directory import opened
from flows.subsample import subsample_pairs
from flows.subsample_publish import Limits
from sdg.errors import ConfigError
from tests.flows import pairs
from tests.flows.small import published

COMMANDS = ["build", "mine", "relabel", "bitext", "subsample"]
LIMITS = Limits(3, None)
# Towns are much alike.
MINING = {"num_negatives": 1, "on_shortfall": "keep"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pairs.write_jsonl(tmp_path / "pairs.jsonl", pairs.pair_rows(10))
    pairs.write_jsonl(tmp_path / "corpus.jsonl", pairs.corpus_rows(10))
    return tmp_path


def config(folder: Path, **changes: Any) -> Any:
    return pairs.config(folder, mining=MINING, **changes)


@pytest.mark.parametrize("name", ["data", "corpus", "rejected", "README.md", "manifest.json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_somebody_else_put_there_is_not_written_over(
    command: str, name: str, tmp_path: Path
) -> None:
    own = tmp_path / "user" / name
    own.mkdir(parents=True) if "." not in name else own.parent.mkdir()
    file = own / "table.parquet" if own.is_dir() else own
    file.write_text("mine", encoding="utf-8")
    with (
        pytest.raises(ConfigError, match=f"from an earlier `pairmill {command}`, but .*{name}"),
        opened(tmp_path / "user", command),
    ):
        pass
    assert file.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "user" / ".work").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_command_began_it_may_go_on_with_and_no_other_may(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("beside", encoding="utf-8")
    with opened(tmp_path, command):
        (tmp_path / "data").mkdir()
    with opened(tmp_path, command):
        pass
    for other in {*COMMANDS} - {command}:
        with (
            pytest.raises(ConfigError, match=f"holds what `pairmill {command}` wrote"),
            opened(tmp_path, other),
        ):
            pass


def test_inputs_in_the_output_directory_are_still_there_after_the_refusal(folder: Path) -> None:
    user = folder / "user"
    (user / "data").mkdir(parents=True)
    shutil.move(folder / "pairs.jsonl", user / "data" / "pairs.jsonl")
    before = published(user)
    given = {"path": str(user / "data" / "pairs.jsonl")}
    with pytest.raises(ConfigError, match="nothing in it was changed"):
        mine_pairs(config(folder, pairs=given), user)
    assert published(user) == before


def test_a_result_without_its_working_files_is_known_by_its_manifest(folder: Path) -> None:
    mined, small = folder / "mined", folder / "small"
    mine_pairs(config(folder), mined)
    subsample_pairs(config(folder), small, LIMITS)
    for directory in (mined, small):
        shutil.rmtree(directory / ".work")
    before = published(mined)
    with pytest.raises(ConfigError, match="holds what `pairmill subsample` wrote"):
        mine_pairs(config(folder), small)
    with pytest.raises(ConfigError, match="holds what `pairmill mine` wrote"):
        subsample_pairs(config(folder), mined, LIMITS)
    assert mine_pairs(config(folder), mined).was_current
    assert subsample_pairs(config(folder), small, LIMITS).was_current
    assert published(mined) == before


def test_calibrating_shares_the_directory_of_mining(folder: Path) -> None:
    wish = Wish("percent", ("0.2",), "", 100, 10)
    calibrate_pairs(config(folder), folder / "out", wish)
    assert json.loads((folder / "out" / ".work" / "owner.json").read_text()) == {"command": "mine"}
    mine_pairs(config(folder), folder / "out")
    calibrate_pairs(config(folder), folder / "out", wish)
