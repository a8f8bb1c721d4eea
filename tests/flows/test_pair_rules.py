"""Pair rules in the flow: a stage only where it is asked for, counted, shown and resumed as any."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.config import RunConfig, load_config, parse_config
from flows.fingerprint import current_outcome, run_fingerprint
from flows.pair_stages import Asked, apply_pair_rules, judge_run_pairs
from flows.preview import preview_rows
from flows.workspace import Workspace
from mining.embed import EmbeddedQueries
from sdg.errors import ConfigError
from sdg.shards import Counts, Outcome, Shard, finish
from tests.flows.small import published, settings, write_config
from tests.sdg.rows import candidates_of, candidates_row, queries_of, query_row

RULES: list[dict[str, Any]] = [
    {"rule": "pair_cosine", "percentile": 10, "min_cell": 5},
    {"rule": "easiness", "min_cell": 10, "tasks": ["llm_*"]},
    {"rule": "easiness", "min_cell": 1000, "tasks": ["natural_*"]},
    {"rule": "in_document_duplicate", "within": "parent"},
    {"rule": "near_duplicate", "jaccard": None, "cosine": 0.9},
]


@pytest.fixture(scope="module")
def ruled_config(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = settings(small_corpus) | {"pair_rules": RULES}
    return write_config(tmp_path_factory.mktemp("config") / "ruled.yaml", values)


@pytest.fixture(scope="module")
def ruled(ruled_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("out") / "ruled"
    run_build(ruled_config, directory)
    return directory


def _stages(directory: Path) -> dict[str, dict[str, Any]]:
    manifest = json.loads((directory / "manifest.json").read_text())
    return {stage["name"]: stage for stage in manifest["stages"]}


def test_pair_rules_are_a_stage_whose_rows_add_up(ruled: Path) -> None:
    assert verify_data_set(ruled) == []
    stages = _stages(ruled)
    names = list(stages)
    assert names.index("pair_rules") == names.index("round_trip") - 1
    stage = stages["pair_rules"]
    # 10 % of 48 pairs in each of three languages lie below 4.7, so five do.
    assert stage["rejected"]["below_pair_cosine"] == 15
    assert stage["rejected"]["above_easiness_percentile"] > 0
    assert stages["retrieve"]["kept"] == stage["rows_in"]
    assert stage["kept"] == stages["round_trip"]["rows_in"]
    rejected = pl.read_parquet(ruled / "rejected" / "*.parquet")
    found = rejected.filter(pl.col("stage") == "pair_rules").group_by("reason").len()
    assert dict(found.iter_rows()) == stage["rejected"]


def test_what_rules_stop_is_in_the_yield_of_its_cell_and_in_the_card(ruled: Path) -> None:
    manifest = json.loads((ruled / "manifest.json").read_text())
    cells = [c["rejected"] for c in manifest["cells"] if c["task"] == "llm_query"]
    assert all(cell["above_easiness_percentile"] > 0 for cell in cells)
    card = (ruled / "README.md").read_text()
    assert "above_easiness_percentile" in card
    texts = {fact["text"] for fact in manifest["facts"] if fact["stage"] == "pair_rules"}
    number = _stages(ruled)["pair_rules"]["extra"]["not_judged_by_easiness"]
    assert number > 0
    assert texts == {
        f"not_judged_by_easiness: {number} candidates, too few of their kind; they went on."
    }


def test_the_cut_into_shards_changes_no_row(
    ruled_config: Path, ruled: Path, tmp_path: Path
) -> None:
    run_build(ruled_config, tmp_path / "again", ["shards.requests=5", "runner.workers=3"])
    theirs = published(tmp_path / "again")
    assert {k: v for k, v in published(ruled).items() if k.startswith("data/")} == {
        k: v for k, v in theirs.items() if k.startswith("data/")
    }
    columns = ["row_id", "stage", "reason", "detail"]
    rows = [
        pl.read_parquet(d / "rejected" / "*.parquet", columns=columns).sort(columns)
        for d in (ruled, tmp_path / "again")
    ]
    assert rows[0].equals(rows[1])


def test_changing_a_rule_computes_from_there_and_changing_back_finds_the_same_bytes(
    ruled_config: Path, ruled: Path, tmp_path: Path
) -> None:
    shutil.copytree(ruled, tmp_path / "out")
    before = published(tmp_path / "out")
    change = ["pair_rules.1.percentile=50"]
    assert current_outcome(load_config(ruled_config, change), tmp_path / "out") is None
    outcome = run_build(ruled_config, tmp_path / "out", change)
    computed = {stage.name: stage.computed for stage in outcome.stages}
    for stage in ("corpus", "generate", "gate", "duplicates", "embed", "retrieve"):
        assert computed[stage] == 0
    assert computed["pair_rules"] > 0
    assert computed["round_trip"] > 0
    back = run_build(ruled_config, tmp_path / "out")
    assert back.figures["LLM requests sent"] == 0
    assert published(tmp_path / "out") == before


def test_without_rules_there_is_no_stage_and_nothing_is_written_of_them(
    small_config: Path, small_data_set: Path
) -> None:
    manifest = json.loads((small_data_set / "manifest.json").read_text())
    assert "pair_rules" not in _stages(small_data_set)
    assert "pair_rules" not in manifest["config"]
    without = load_config(small_config)
    assert run_fingerprint(load_config(small_config, ["pair_rules=[]"])) == run_fingerprint(without)


def test_a_preview_runs_the_rules(ruled_config: Path, tmp_path: Path) -> None:
    previewed = preview_rows(ruled_config, tmp_path / "p", [], 2)
    counts = {stage.name: stage.counts for stage in previewed.stages}["pair_rules"]
    assert counts.rows_in > 0
    # Two requests per task and language are no percentile.
    assert counts.rejected.get("above_easiness_percentile", 0) == 0


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "easiness", "tasks": ["lm_*"]}, "`pair_rules.0.tasks` must name tasks"),
        ({"rule": "easiness", "percentile": 170}, "less than or equal to 100"),
        ({"rule": "easyness"}, "easiness"),
        ({"rule": "pair_cosine"}, "Qwen3's 0.7 is a `min_cosine`, for its own encoder"),
        ({"rule": "paraphrase"}, "min_cosine"),
        ({"rule": "near_duplicate", "jacard": 0.7}, "jacard"),
    ],
)
def test_rules_that_cannot_work_are_refused_before_anything_runs(
    small_corpus: Path, rule: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_config(settings(small_corpus) | {"pair_rules": [rule]}, "c.yaml")


def _shard(space: Workspace, name: str, **tables: pa.Table) -> Shard:
    contents = {key: table.to_pylist() for key, table in tables.items()}
    return finish(space.shard("made", name), contents, lambda: Outcome(tables, Counts()))


def _asked(space: Workspace, config: RunConfig, *rows: dict[str, Any]) -> Asked:
    """Return a run of the rows whose generation also wrote "lost", which did not come so far."""
    queries = queries_of(*rows)
    found = candidates_of(*(candidates_row(row["query_id"]) for row in rows))
    vectors = EmbeddedQueries.embed(queries, config.encoder).to_table()
    lost = queries_of(query_row("lost", "who drew the old stone bridge of Brell"))
    return Asked(
        [_shard(space, "q", kept=queries)],
        [_shard(space, "f", candidates=found, vectors=vectors)],
        [],
        [_shard(space, "w", kept=pa.concat_tables([queries, lost]))],
    )


def test_a_paraphrase_of_a_query_that_was_rejected_before_is_judged_by_its_text(
    small_corpus: Path, tmp_path: Path
) -> None:
    values = settings(small_corpus)
    values["pair_rules"] = [{"rule": "paraphrase", "min_cosine": 0.3, "max_overlap": 0.9}]
    config, space = parse_config(values, "c"), Workspace(tmp_path)
    asked = _asked(
        space,
        config,
        query_row("p1", "who drew the old stone bridge of Orla", paraphrase_of="lost"),
        query_row("p2", "quinze moutons", paraphrase_of="lost"),
        query_row("p3", "who drew the old stone bridge of Brell?", paraphrase_of="lost"),
        query_row("p4", "who drew it", paraphrase_of="never written"),
    )
    result = apply_pair_rules(space, judge_run_pairs(space, config, asked), asked.queries[0])
    assert result.table("kept")["query_id"].to_pylist() == ["p1"]
    rejected = result.table("rejected")
    reasons = dict(zip(rejected["row_id"].to_pylist(), rejected["reason"].to_pylist(), strict=True))
    assert reasons == {
        "p2": "paraphrase_below_cosine",
        "p3": "paraphrase_above_overlap",
        "p4": "original_missing",
    }


def test_a_run_of_which_nothing_is_left_is_judged_too(small_corpus: Path, tmp_path: Path) -> None:
    values = settings(small_corpus) | {"pair_rules": RULES}
    config, space = parse_config(values, "c"), Workspace(tmp_path)
    nothing = _shard(space, "q", kept=queries_of())
    found = _shard(space, "f", candidates=candidates_of())
    documents = _shard(space, "d", kept=pa.table({"doc_id": ["d1"], "parent_id": ["p1"]}))
    verdicts = judge_run_pairs(space, config, Asked([nothing], [found], [documents], []))
    assert verdicts.table("verdicts").num_rows == 0
