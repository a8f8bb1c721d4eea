from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from data_cards import layout
from data_cards.manifest import checked_manifest, file_records, load_manifest
from data_cards.records import Cell, stage_record
from sdg import store
from sdg.errors import ContractError, DataError
from sdg.shards import Counts
from tests.data_cards import tiny


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def fields(directory: Path) -> dict[str, Any]:
    return load_manifest(directory).to_json()


def write(directory: Path, fields: Mapping[str, Any]) -> Path:
    store.write_json(directory / layout.MANIFEST, dict(fields))
    return directory


def test_manifest_reads_back_what_was_written(directory: Path) -> None:
    manifest = load_manifest(directory)
    assert checked_manifest(json.loads(json.dumps(manifest.to_json()))) == manifest
    assert manifest.rows == 9
    assert manifest.files == file_records(directory)


def test_two_builds_in_different_folders_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (tiny.write_data_set(tmp_path / name) for name in ("one", "deep/other"))
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert len(files) == 7
    for path in files:
        assert (one / path).read_bytes() == (other / path).read_bytes(), path


def lose_a_row_in_a_stage(fields: dict[str, Any]) -> str:
    fields["stages"][1]["rejected"] = {"wrong_language": 1}
    return "in stage gate, but 11 came in, 9 were kept"


def lose_a_row_between_stages(fields: dict[str, Any]) -> str:
    fields["stages"][1] |= {"rows_in": 10, "rejected": {"wrong_language": 1}}
    return "stage gate must be given the 11 candidates that stage generate kept, but was given 10"


def lose_a_row_in_a_cell(fields: dict[str, Any]) -> str:
    fields["cells"][0]["kept"] = 2
    return "in cell natural_pair/fra-Latn/fra-Latn/, but 3 came in"


def lose_a_row_in_the_files(fields: dict[str, Any]) -> str:
    fields["files"]["data/train-00000-of-00001.parquet"]["rows"] -= 1
    return "kept of all cells must equal the rows of the data files .8., but is 9"


def lose_a_candidate_in_mining(fields: dict[str, Any]) -> str:
    fields["mining"]["not_needed"] -= 1
    return "in mining, but 54 came in, 35 were kept"


def change_more_than_judged(fields: dict[str, Any]) -> str:
    fields["relabel"]["changed"] = 10
    return "`relabel.changed` must be at most `relabel.queries` .9., but is 10"


def repeat_a_stage_name(fields: dict[str, Any]) -> str:
    fields["stages"][0]["name"] = "gate"
    return "each stage must be listed once"


def leak_a_path(fields: dict[str, Any]) -> str:
    fields["config"]["corpus"]["path"] = "/home/someone/documents.parquet"
    return r"absolute path, but has some under .'corpus.path'"


def add_an_unknown_key(fields: dict[str, Any]) -> str:
    fields["built_at"] = "today"
    return "built_at"


def spell_a_reason_as_prose(fields: dict[str, Any]) -> str:
    fields["cells"][0]["rejected"] = {"Bad row!": 0}
    return "rejected"


FAULTS = [
    lose_a_row_in_a_stage,
    lose_a_row_between_stages,
    lose_a_row_in_a_cell,
    lose_a_row_in_the_files,
    lose_a_candidate_in_mining,
    change_more_than_judged,
    repeat_a_stage_name,
    leak_a_path,
    add_an_unknown_key,
    spell_a_reason_as_prose,
]


@pytest.mark.parametrize("break_it", FAULTS, ids=lambda f: f.__name__)
def test_manifest_with_a_broken_law_is_refused_by_builder_and_reader(
    break_it: Any, fields: dict[str, Any], tmp_path: Path
) -> None:
    message = break_it(fields)
    with pytest.raises(ContractError, match=message):
        checked_manifest(fields)
    with pytest.raises(DataError, match=message):
        load_manifest(write(tmp_path, fields))


def test_stages_that_count_in_different_units_need_not_agree(fields: dict[str, Any]) -> None:
    fields["stages"][0] |= {"unit": "requests", "rows_in": 2, "kept": 1}
    assert checked_manifest(fields).stages[0].kept == 1


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda d: d.rmdir(), "must be a data set directory"),
        (lambda _: None, "must hold manifest.json"),
        (lambda d: (d / "manifest.json").write_text("{"), "must be a readable JSON file"),
        (lambda d: (d / "manifest.json").write_text("[]"), "the whole file. is wrong"),
    ],
    ids=["no directory", "no manifest", "no JSON", "no mapping"],
)
def test_load_manifest_says_what_is_wrong_with_a_directory(
    prepare: Any, message: str, tmp_path: Path
) -> None:
    directory = tmp_path / "data-set"
    directory.mkdir()
    prepare(directory)
    with pytest.raises(DataError, match=message):
        load_manifest(directory)


def test_file_records_refuses_a_damaged_file(tmp_path: Path) -> None:
    directory = tiny.write_data_set(tmp_path)
    (directory / "data/train-00000-of-00001.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"train-00000-of-00001\.parquet` must be a readable"):
        file_records(directory)


def test_stage_record_keeps_the_counts_of_a_shard() -> None:
    counts = Counts(5, 2, {"b": 1, "a": 2}, {"tokens": 7})
    record = stage_record("gate", "queries", counts)
    assert (record.rows_in, record.kept, record.extra) == (5, 2, {"tokens": 7})
    assert list(record.rejected.items()) == [("a", 2), ("b", 1)]


def test_cell_kept_is_what_was_requested_less_what_was_rejected() -> None:
    with pytest.raises(ValueError, match="8 came in, 1 were kept"):
        Cell(
            task="t",
            document_language="fra-Latn",
            query_language="fra-Latn",
            generator="m",
            requested=8,
            kept=1,
            rejected={"wrong_language": 6},
        )
