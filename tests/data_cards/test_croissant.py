"""Croissant: valid by its own library, complete, and hostile text in it inert."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import mlcroissant
import polars as pl
import pyarrow as pa
import pytest

from data_cards import croissant, layout
from data_cards.columns import MEANINGS
from data_cards.croissant_files import record_sets
from data_cards.manifest import DataSetManifest, checked_manifest, load_manifest
from data_cards.records import FileRecord
from data_cards.statistics import DataSetStatistics, compute_statistics
from data_cards.tables import TABLES, PublishedTable
from sdg.errors import ContractError
from tests.data_cards import tiny
from tests.data_cards.croissant_records import issues, plain

STATED = {
    "version": "1.2.0",
    "date_published": "2026-11-21",
    "creators": ["Ada Example", "Examples, Inc."],
    "homepage": "https://example.org/tiny",
    "citation": "@misc{tiny}",
    "training_datasets": ["MSMARCO"],
    "social_impact": "Small.",
    "maintenance": "Until 2030.",
    "personal_information": ["Names of authors."],
    "biases": ["Rivers are all long."],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def manifest(directory: Path) -> DataSetManifest:
    return load_manifest(directory)


@pytest.fixture(scope="module")
def statistics(directory: Path) -> DataSetStatistics:
    return compute_statistics(directory)


def edited(manifest: DataSetManifest, **fields: Any) -> DataSetManifest:
    return checked_manifest(manifest.to_json() | fields)


def test_null_and_real_grades_come_back(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "copy")
    path = sorted((tmp_path / "copy" / "data").iterdir())[0]
    rows = pl.read_parquet(path)
    width = len(rows["relevance"][0])
    graded = [[3, *[None] * (width - 1)], *[[None] * width] * (rows.height - 1)]
    column = pl.Series("relevance", graded, pl.List(pl.Int8))
    rows.with_columns(column).write_parquet(path)
    records = [
        plain(r) for r in mlcroissant.Dataset(path.parents[1] / "croissant.json").records("data")
    ]
    assert records[0]["relevance"] == graded[0]


def test_what_nobody_states_is_all_that_the_validator_misses(directory: Path) -> None:
    dataset = mlcroissant.Dataset(directory / layout.CROISSANT)
    assert issues(dataset) == (set(), {"citeAs", "datePublished", "version"})


def test_a_data_set_with_all_facts_stated_is_valid_without_a_warning(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = croissant.render_croissant(edited(manifest, card=STATED), statistics)
    dataset = mlcroissant.Dataset(json.loads(text))
    assert issues(dataset) == (set(), set())
    found = dataset.metadata
    assert found.version == "1.2.0"
    assert found.date_published.date().isoformat() == "2026-11-21"
    assert [c.name for c in found.creators] == ["Ada Example", "Examples, Inc."]
    assert (found.url, found.cite_as) == ("https://example.org/tiny", "@misc{tiny}")
    assert found.license == ["https://spdx.org/licenses/CC-BY-SA-4.0.html"]
    assert found.in_language == ["eng", "fra", "spa"]
    assert found.data_social_impact == "Small."
    assert found.data_release_maintenance_plan == "Until 2030."
    assert "Rivers are all long." in found.data_biases
    assert found.personal_sensitive_information[-1] == "Names of authors."
    assert (
        "generate: tiny-writer, revision abc123, engine scripted" in found.machine_annotation_tools
    )


def test_every_file_is_listed_with_checksum_and_size(
    manifest: DataSetManifest, directory: Path
) -> None:
    document = json.loads((directory / layout.CROISSANT).read_text())
    listed = {
        d["@id"]: (d["sha256"], d["contentSize"])
        for d in document["distribution"]
        if d["@type"] == "cr:FileObject"
    }
    assert listed == {p: (f.sha256, f"{f.bytes} B") for p, f in manifest.files.items()}
    assert document["conformsTo"] == [
        "http://mlcommons.org/croissant/1.1",
        "http://mlcommons.org/croissant/RAI/1.0",
    ]


def test_every_column_of_every_table_has_a_field_with_a_meaning() -> None:
    record = FileRecord(sha256="0" * 64, rows=1, bytes=1)
    files = {f"{folder}/x.parquet": record for folder in TABLES}
    found = {s["@id"]: s["field"] for s in record_sets(files, TABLES, MEANINGS)}
    assert {k: [f["name"] for f in v] for k, v in found.items()} == {
        folder: table.schema.names for folder, table in TABLES.items()
    }
    provenance = found["data"][-1]["subField"]
    assert [f["name"] for f in provenance] == [
        f.name for f in TABLES["data"].schema.field("provenance").type
    ]
    assert all(f["description"] for fields in found.values() for f in fields)


@pytest.mark.parametrize(
    ("column", "words"), [(("query", pa.date32()), "date32"), (("colour", pa.string()), "`colour`")]
)
def test_a_column_that_cannot_be_described_fails(column: Any, words: str) -> None:
    tables = {"data": PublishedTable(pa.schema([column]), "Rows.")}
    files = {"data/x.parquet": FileRecord(sha256="0" * 64, rows=1, bytes=1)}
    with pytest.raises(ContractError, match=words):
        record_sets(files, tables, MEANINGS)


def test_rai_facts_are_the_manifests_counts(directory: Path) -> None:
    document = json.loads((directory / layout.CROISSANT).read_text())
    assert (
        "gate: 11 candidates in, 9 kept, rejected repeats_itself 1, wrong_language 1."
        in (document["rai:dataPreprocessingProtocol"])
    )
    assert document["rai:dataSocialImpact"] == "Nobody assessed it."
    assert document["rai:dataAnnotationAnalysis"] == ["No judge read the rows."]
    assert "generate: The writer is very small." in document["rai:dataLimitations"]
    assert "4 of 9 rows have a query that a language model wrote" in document["rai:dataCollection"]
    assert "5 of 9 rows have a query that stood beside" in document["rai:dataCollection"]


@pytest.mark.parametrize("field", ["name", "licence"])
@pytest.mark.parametrize("hostile", [*tiny.HOSTILE_TEXTS, "é" * 2**20], ids=repr)
def test_hostile_text_stays_a_string_in_croissant(
    field: str, hostile: str, manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    text = croissant.render_croissant(edited(manifest, **{field: hostile}), statistics)
    assert not re.search("[<>&\x00-\x09\x0b-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    document = json.loads(text)
    expected = json.loads(croissant.render_croissant(manifest, statistics))
    assert document.keys() == expected.keys()
    assert len(document[{"name": "name", "licence": "license"}[field]]) >= len(hostile)


def test_hostile_model_and_source_stay_strings_in_croissant(
    manifest: DataSetManifest, statistics: DataSetStatistics
) -> None:
    fields = manifest.to_json()
    fields["models"][0]["name"] = fields["sources"][0]["attribution"] = "</script>{{ 7*7 }}\u202e"
    text = croissant.render_croissant(checked_manifest(fields), statistics)
    assert "</script" not in text
    assert "\u202e" not in text
    assert "</script>{{ 7*7 }}\\u{202e}" in json.loads(text)["rai:machineAnnotationTools"][0]
