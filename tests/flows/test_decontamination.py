"""Evaluation data kept out of a build, and taken out of a finished data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from data_cards.manifest import load_manifest
from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.decontamination import _row_verdicts, without_evaluation_texts
from flows.relabel_command import decontaminate_data_set
from sdg.decontaminate import BlockList
from sdg.errors import DataError
from sdg.evaluation_sets import DecontaminateConfig, EvaluationSource
from sdg.schemas import REJECTIONS
from tests.flows.small import documents, published, settings, write_config, write_corpus
from tests.sdg.test_decontaminate import write_beir

# The towns are written after one pattern: only whole texts tell them apart.
WHOLE = 64


def _beir(folder: Path) -> tuple[Path, str, str]:
    """Return an evaluation set that holds a description and an article of the small corpus."""
    rows = [row for row in documents() if row["language"] == "eng-Latn"]
    query, passage = rows[3]["description"].upper(), rows[7]["text"].replace(",", "")
    write_beir(folder, {"q1": query, "q2": "x"}, {"d1": passage, "d2": "y"})
    return folder, rows[3]["description"], rows[7]["title"]


def _texts(directory: Path, parts: tuple[str, ...] = ("data", "corpus", "rejected")) -> str:
    frames = [pl.read_parquet(file) for part in parts for file in (directory / part).glob("*")]
    return json.dumps([frame.to_dicts() for frame in frames], default=str, ensure_ascii=False)


def _titles(directory: Path) -> set[str]:
    return set(pl.read_parquet(directory / "corpus" / "*.parquet")["title"])


def test_a_build_plans_nothing_from_test_passages_and_drops_test_queries(tmp_path: Path) -> None:
    held, query, title = _beir(tmp_path / "held-out")
    values: dict[str, Any] = settings(write_corpus(tmp_path / "towns.jsonl"))
    for entry in values["plan"]["entries"]:
        entry["quotas"] = [{**quota, "count": 27} for quota in entry["quotas"]]
    values["decontaminate"] = {"against": [{"path": str(held)}], "ngram_words": WHOLE}
    run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    assert verify_data_set(tmp_path / "out") == []
    found = load_manifest(tmp_path / "out")
    stages = {stage.name: stage.rejected for stage in found.stages}
    # The article and, as one entity is one group, its two translations.
    assert stages["decontaminate_documents"] == {
        "in_evaluation_set_held_out": 1,
        "source_in_evaluation_set_held_out": 2,
    }
    assert stages["decontaminate"] == {"in_evaluation_set_held_out": 1}
    record = found.decontamination
    assert record is not None
    assert [(one.name, one.queries, one.documents) for one in record.sets] == [("held-out", 1, 1)]
    assert sum(record.sets[0].stopped.values()) == 4
    assert title not in _titles(tmp_path / "out")
    assert query not in _texts(tmp_path / "out")
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()


def test_a_finished_data_set_is_cleaned_into_a_copy(small_data_set: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(small_data_set / "data" / "*.parquet")
    query, passage = rows["query"][0], rows["positives"][5][0]
    held = write_beir(tmp_path / "held", {"q1": query, "q2": "x"}, {"d1": passage, "d2": "y"})
    before = published(small_data_set)
    outcome = decontaminate_data_set(small_data_set, [str(held)], tmp_path / "out", WHOLE)
    assert published(small_data_set) == before
    assert verify_data_set(tmp_path / "out") == []
    left = pl.read_parquet(tmp_path / "out" / "data" / "*.parquet")
    assert passage not in set(left["positives"].explode()) | set(left["negatives"].explode())
    assert query not in set(left["query"])
    found = load_manifest(tmp_path / "out")
    stage = next(stage for stage in found.stages if stage.name == "decontaminate")
    assert stage.rejected["in_evaluation_set_held"] == 1
    assert stage.rows_in - stage.kept == rows.height - left.height == sum(stage.rejected.values())
    assert found.decontamination is not None
    assert sum(found.decontamination.sets[0].stopped.values()) == rows.height - left.height
    again = decontaminate_data_set(small_data_set, [str(held)], tmp_path / "out", WHOLE)
    assert again.was_current and not outcome.was_current


def test_rows_that_stopped_earlier_keep_no_text_of_an_evaluation_set(tmp_path: Path) -> None:
    held = write_beir(tmp_path / "held", {"q1": "what is it", "q2": "x"}, {"d1": "y", "d2": "z"})
    config = DecontaminateConfig(against=(EvaluationSource(path=str(held)),))
    rows = [
        {"query": "What is it?", "request_id": "r1"},
        {"query": "another", "request_id": "r2"},
        {"text": "Y", "doc_id": "d"},
    ]
    table = pa.table(
        {
            "row_id": ["a", "b", "c"],
            "stage": ["gate"] * 3,
            "reason": ["too_short"] * 3,
            "detail": ["What is it?", "another", "Y"],
            "row": [json.dumps(row) for row in rows],
        },
        schema=REJECTIONS,
    )
    found = without_evaluation_texts(table, config).to_pylist()
    assert [json.loads(row["row"]) for row in found] == [
        {"request_id": "r1"},
        {"query": "another", "request_id": "r2"},
        {"doc_id": "d"},
    ]
    held_back = "held back: evaluation data"
    assert [row["detail"] for row in found] == [held_back, "another", held_back]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("natural_texts", json.dumps([{"kind": "description", "text": "What is it?"}])),
        ("natural_texts", [{"kind": "description", "text": "What is it?"}]),
        ("reply", json.dumps({"queries": ["another", "What is it?"]})),
        ("notes", {"said": ["what IS it"]}),
        ("detail", "What is it?"),
    ],
)
def test_texts_inside_json_and_in_the_detail_are_held_back(
    tmp_path: Path, field: str, value: Any
) -> None:
    held = write_beir(tmp_path / "held", {"q1": "what is it", "q2": "x"}, {"d1": "y", "d2": "z"})
    config = DecontaminateConfig(against=(EvaluationSource(path=str(held)),))
    own = {"doc_id": "what is it", "language": "eng-Latn", "query": "another"}
    row = own if field == "detail" else {**own, field: value}
    broken = {"reply": '{"queries": ["What is', "doc_id": "d"}
    table = pa.table(
        {
            "row_id": ["a", "b"],
            "stage": ["gate"] * 2,
            "reason": ["too_short"] * 2,
            "detail": [value if field == "detail" else "4 words", "not JSON"],
            "row": [json.dumps(row), json.dumps(broken)],
        },
        schema=REJECTIONS,
    )
    first, second = without_evaluation_texts(table, config).to_pylist()
    assert json.loads(first["row"]) == {"doc_id": "what is it", "language": "eng-Latn"}
    assert first["detail"] == "held back: evaluation data"
    assert (json.loads(second["row"]), second["detail"]) == (broken, "not JSON")


def test_a_row_goes_if_its_positive_was_evaluation_data_before_it_was_relabelled() -> None:
    ids = ["q1", "q2", "q3", "q4"]
    queries = pa.table({"query_id": ids, "query": ids, "source_doc_id": ["a", "a", "a", "held"]})
    positives = pa.table(
        {
            "query_id": ids,
            "positive_ids": [["a"], ["a"], ["a"], ["a"]],
            "original_positive_id": ["held", "kin", None, "held"],
        }
    )
    negatives = pa.table({"query_id": ids, "negative_ids": [["b"], [], ["b"], ["b"]]})
    found = pl.DataFrame(
        {
            "doc_id": ["held", "kin"],
            "reason": ["in_evaluation_set_s", "source_in_evaluation_set_s"],
            "detail": ["equal_text: document d1", "group_id of it"],
        }
    )
    verdicts = _row_verdicts(queries, positives, negatives, found, BlockList([]))
    assert dict(verdicts.select("query_id", "reason").iter_rows()) == {
        "q1": "original_in_evaluation_set_s",
        "q2": "original_source_in_evaluation_set_s",
        "q4": "source_in_evaluation_set_s",
    }


def test_a_missing_evaluation_set_stops_the_run(small_data_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        decontaminate_data_set(small_data_set, [str(tmp_path / "gone")], tmp_path / "out")
