"""Every task through a whole build: rows or reasons, written documents, variations, personas."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_cards.verify import verify_data_set
from flows.build import run_build
from sdg.tasks import TASKS
from tests.flows.small import published, settings, write_config, write_corpus

ENGLISH = {"documents": "eng-Latn", "queries": "eng-Latn"}
CROSS = {"documents": "fra-Latn", "queries": "eng-Latn"}
# What has the language of its documents, or labels that are written in one language.
MONOLINGUAL = ("natural_text", "passage_part", "seeded_classification")
# Tasks whose candidates end as rows, or as rejections of one.
PLANNED = {name for name in TASKS if TASKS[name].varies != "documents"}
PERSONAS = {"specified_query": "random", "configured_query": "nearest"}


def all_tasks(corpus: Path) -> dict[str, Any]:
    """Return settings that plan every task there is, and vary what two of them gave."""
    values = settings(corpus)
    entries, variations = [], []
    for name in TASKS:
        chosen = {"task": name, **({"kind": "description"} if name == "natural_text" else {})}
        task = TASKS.build(chosen)
        entry: dict[str, Any] = {"task": chosen}
        if task.asks_llm:
            entry["generator"] = "script"
        if task.varies:
            variations.append({**entry, "tasks": ["llm_query", "specified_query"], "count": 4})
            continue
        quotas = [{**ENGLISH, "count": 4}, {**CROSS, "count": 2}]
        if name in MONOLINGUAL:
            quotas = quotas[:1]
        if name == "bitext_triple":
            quotas = quotas[1:]
        if name in PERSONAS:
            entry["personas"] = {"path": "packaged", "choose": PERSONAS[name]}
        entries.append({**entry, "quotas": quotas})
    return {
        **values,
        "plan": {"entries": entries},
        "variations": variations,
        "gates": [],
        "round_trip": {"top_k": 1000},
        "relabel": {"enabled": False},
        "mining": {"num_negatives": 2, "on_shortfall": "keep"},
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all_tasks")
    config = write_config(folder / "c.yaml", all_tasks(write_corpus(folder / "corpus.jsonl")))
    run_build(config, folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def rows(built: Path) -> pl.DataFrame:
    return pl.read_parquet(built / "data" / "*.parquet")


def test_every_task_of_plan_and_variations_is_asked_and_accounted_for(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    asked: Counter[str] = Counter()
    for cell in manifest["cells"]:
        asked[cell["task"]] += cell["requested"]
        assert cell["requested"] == cell["kept"] + sum(cell["rejected"].values())
    assert set(asked) == {*(n for n in PLANNED if n != "natural_text"), "natural_description"}
    stages = {stage["name"]: stage for stage in manifest["stages"]}
    assert stages["attach"]["rows_in"] > 0
    assert {"personas", "write", "written", "vary", "link", "add_written"} <= set(stages)


def test_the_manifest_holds_the_sampling_of_every_task(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    (writer,) = (model for model in manifest["models"] if model["role"] == "generate")
    asking = {name for name in TASKS if TASKS[name].asks_llm}
    assert set(writer["sampling"]) == asking
    assert writer["sampling"]["paraphrased_positive"]["max_tokens"] == 2048
    assert writer["sampling"]["llm_query"]["max_tokens"] != 2048


def test_the_finished_data_set_keeps_every_promise(built: Path) -> None:
    assert verify_data_set(built) == []


def test_rows_of_every_task_come_out(rows: pl.DataFrame) -> None:
    found = set(rows["task"].unique())
    assert PLANNED - {"natural_text"} - found == set()


def test_written_negatives_have_their_writers_name_and_no_rank(rows: pl.DataFrame) -> None:
    pairs = rows.explode("negative_ids", "negative_ranks", "negative_sources", "negative_scores")
    written = pairs.filter(pl.col("negative_sources") == "generated:script")
    assert {"short_long", "graded_documents", "llm_query"} <= set(written["task"])
    assert written["negative_ranks"].unique().to_list() == [-1]
    assert written["negative_scores"].is_between(-1.001, 1.001).all()


def test_grades_that_were_asked_for_stand_in_relevance(rows: pl.DataFrame) -> None:
    graded = rows.filter(pl.col("task") == "graded_documents")
    for row in graded.iter_rows(named=True):
        assert row["relevance"][0] == 3
        own = zip(row["negative_sources"], row["relevance"][1:], strict=True)
        grades = [grade for source, grade in own if source == "generated:script"]
        assert grades == sorted(grades, reverse=True)
        assert set(grades) <= {0, 1, 2}


def test_a_query_over_several_documents_has_them_all_as_positives(rows: pl.DataFrame) -> None:
    several = rows.filter(pl.col("task") == "multi_document_query")
    assert several["positive_ids"].list.len().unique().to_list() == [2]


def test_a_variation_names_its_original_and_shares_its_split(rows: pl.DataFrame) -> None:
    own = rows.with_columns(parent=pl.col("provenance").struct.field("paraphrase_of"))
    varied = own.filter(pl.col("parent") != "")
    assert set(varied["task"]) == {"paraphrase_query", "back_translation", "augmented_query"}
    both = varied.join(rows, left_on="parent", right_on="query_id", suffix="_original")
    assert both["split"].equals(both["split_original"])
    assert len(both) == len(varied)


def test_personas_stand_in_the_provenance(rows: pl.DataFrame) -> None:
    own = rows.with_columns(persona=pl.col("provenance").struct.field("persona"))
    who = dict(own.group_by("task").agg(pl.col("persona").ne("").all()).iter_rows())
    assert who["specified_query"]
    assert who["configured_query"]
    assert not who["keyword_query"]


@pytest.mark.slow
def test_the_cut_into_shards_changes_no_published_row(built: Path, tmp_path: Path) -> None:
    values = all_tasks(write_corpus(tmp_path / "corpus.jsonl"))
    config = write_config(tmp_path / "c.yaml", {**values, "shards": {"requests": 3}})
    run_build(config, tmp_path / "out")
    kinds = ("data/", "corpus/")
    ours, theirs = published(tmp_path / "out"), published(built)
    assert {k: v for k, v in ours.items() if k.startswith(kinds)} == {
        k: v for k, v in theirs.items() if k.startswith(kinds)
    }
