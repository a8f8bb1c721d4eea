"""Every promise of a finished directory. Others than the tiny one: PAIRMILL_DATA_SETS=dir:dir."""

from __future__ import annotations

import os
from pathlib import Path

import datasets
import mlcroissant
import polars as pl
import pytest
from huggingface_hub import DatasetCard

from data_cards import layout
from data_cards.manifest import load_manifest
from data_cards.verify import verify_data_set
from sdg.assemble import CORPUS
from sdg.schemas import EXAMPLES, REJECTIONS
from tests.data_cards import tiny
from tests.data_cards.croissant_records import issues, plain

OTHERS = [path for path in os.environ.get("PAIRMILL_DATA_SETS", "").split(os.pathsep) if path]


@pytest.fixture(scope="module", params=["tiny", *OTHERS])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "tiny":
        return tiny.write_data_set(tmp_path_factory.mktemp("tiny"))
    return Path(request.param).resolve()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return str(tmp_path / "cache")


def test_data_set_keeps_every_promise(directory: Path) -> None:
    assert [str(problem) for problem in verify_data_set(directory)] == []


def test_load_dataset_gives_splits_and_columns(directory: Path, cache: str) -> None:
    manifest = load_manifest(directory)
    loaded = datasets.load_dataset(str(directory), cache_dir=cache)
    sizes = {name: split.num_rows for name, split in loaded.items()}
    assert list(sizes) == [name for name in manifest.splits if name in sizes]
    assert sum(sizes.values()) == manifest.rows > 0
    for name, split in loaded.items():
        assert split.column_names == EXAMPLES.names
        assert set(split["split"]) == {name}
        assert split[0]["positives"][0] != ""


@pytest.mark.parametrize(("config", "schema"), [("corpus", CORPUS), ("rejected", REJECTIONS)])
def test_load_dataset_gives_documents_and_rejections(
    config: str, schema: object, directory: Path, cache: str
) -> None:
    records = load_manifest(directory).files.items()
    expected = sum(record.rows for path, record in records if path.startswith(f"{config}/"))
    if not expected:
        pytest.skip(f"this data set has no {config}")
    loaded = datasets.load_dataset(str(directory), config, split=config, cache_dir=cache)
    assert loaded.num_rows == expected
    assert loaded.column_names == schema.names  # type: ignore[attr-defined]


def test_card_is_valid_for_the_hub(directory: Path) -> None:
    card = DatasetCard.load(directory / "README.md")
    assert card.data.license
    assert card.data.to_dict()["configs"][0]["config_name"] == "data"


@pytest.mark.parametrize("folder", [layout.DATA, layout.CORPUS, layout.REJECTED, layout.MINERS])
def test_croissant_gives_every_row_back(directory: Path, folder: str) -> None:
    files = layout.parquet_files(directory, folder)
    dataset = mlcroissant.Dataset(directory / layout.CROISSANT)
    assert issues(dataset)[0] == set()
    if not files:
        assert folder not in {record_set.id for record_set in dataset.metadata.record_sets}
        return
    assert [plain(r) for r in dataset.records(folder)] == pl.read_parquet(files).to_dicts()
