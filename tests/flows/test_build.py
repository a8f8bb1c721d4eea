"""The whole flow with the scripted engine: counts, promises, determinism, exit statuses."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest
from datasets import load_dataset
from rich.console import Console

from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.config import load_config
from flows.preview import Previewed, plan_run, preview_rows, print_preview
from sdg.errors import DataError
from tests.flows.small import published, settings, write_config, write_corpus

LANGUAGES = {"eng-Latn", "fra-Latn", "spa-Latn"}


def test_build_keeps_every_promise_on_the_finished_files(small_data_set: Path) -> None:
    assert verify_data_set(small_data_set) == []
    rows = pl.read_parquet(small_data_set / "data" / "*.parquet")
    assert set(rows["query_language"]) == LANGUAGES
    assert set(rows["task"]) == {"llm_query", "natural_description"}
    assert rows["negative_ids"].list.len().min() == 4


def test_build_never_mines_the_same_article_in_another_language(small_data_set: Path) -> None:
    rows = pl.read_parquet(small_data_set / "data" / "*.parquet")
    corpus = pl.read_parquet(small_data_set / "corpus" / "*.parquet")
    titles = dict(corpus.select("doc_id", "title").iter_rows())
    for row in rows.iter_rows(named=True):
        own = {titles[doc_id] for doc_id in row["positive_ids"]}
        assert own.isdisjoint(titles[doc_id] for doc_id in row["negative_ids"])


def test_build_counts_say_the_same_as_the_files(small_data_set: Path) -> None:
    manifest = json.loads((small_data_set / "manifest.json").read_text())
    rejected = pl.read_parquet(small_data_set / "rejected" / "*.parquet")
    counted = {
        (stage["name"], reason): number
        for stage in manifest["stages"]
        for reason, number in stage["rejected"].items()
    }
    found = {
        (stage, reason): number
        for stage, reason, number in rejected.group_by("stage", "reason").len().iter_rows()
    }
    assert counted == found
    assert counted


def test_build_again_does_nothing_and_sends_no_request(
    small_config: Path, small_data_set: Path
) -> None:
    before = published(small_data_set)
    outcome = run_build(small_config, small_data_set)
    assert outcome.was_current is True
    assert outcome.figures["LLM requests sent"] == 0
    assert published(small_data_set) == before


def test_build_elsewhere_gives_the_same_bytes_whatever_the_shards(
    small_config: Path, small_data_set: Path, tmp_path: Path
) -> None:
    run_build(small_config, tmp_path / "again", ["runner.workers=4"])
    assert published(tmp_path / "again") == published(small_data_set)


def test_a_damaged_published_file_is_mended_by_building_again(
    small_config: Path, small_data_set: Path
) -> None:
    before = published(small_data_set)
    victim = next((small_data_set / "data").glob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-9])
    assert run_build(small_config, small_data_set).was_current is False
    assert published(small_data_set) == before


def test_a_damaged_stage_shard_is_found_and_computed_again(
    small_config: Path, small_data_set: Path
) -> None:
    before = published(small_data_set)
    victim = next((small_data_set / ".work" / "stages" / "gate").glob("*/kept.parquet"))
    victim.write_bytes(b"not parquet")
    (small_data_set / "manifest.json").unlink()
    outcome = run_build(small_config, small_data_set)
    assert {s.name: s.computed for s in outcome.stages}["gate"] == 1
    assert published(small_data_set) == before


def test_load_dataset_gives_the_rows_and_the_corpus(small_data_set: Path, tmp_path: Path) -> None:
    data = load_dataset(str(small_data_set), cache_dir=str(tmp_path))
    manifest = json.loads((small_data_set / "manifest.json").read_text())
    assert sum(split.num_rows for split in data.values()) == manifest["stages"][-1]["kept"]
    assert load_dataset(str(small_data_set), "corpus", cache_dir=str(tmp_path))


def test_plan_counts_what_the_build_then_asks(small_config: Path, tmp_path: Path) -> None:
    planned = plan_run(small_config, tmp_path / "p", [])
    assert planned.estimate.requests == 72
    assert not (tmp_path / "p" / ".work" / "journal.sqlite").exists()


def test_preview_shows_finished_rows_with_scores(small_config: Path, tmp_path: Path) -> None:
    previewed = preview_rows(small_config, tmp_path / "p", [], 2)
    assert 1 <= len(previewed.rows) <= 2
    assert len(previewed.rows[0]["negatives"]) == 4
    assert not (tmp_path / "p" / "data").exists()


def test_settings_that_only_cut_the_work_do_not_change_the_fingerprint(small_config: Path) -> None:
    from flows.fingerprint import run_fingerprint

    before = run_fingerprint(load_config(small_config))
    assert run_fingerprint(load_config(small_config, ["runner.workers=7"])) == before
    assert run_fingerprint(load_config(small_config, ["seed=4"])) != before


@pytest.mark.parametrize("change", ["mining.num_negatives=3", "round_trip.top_k=4", "seed=5"])
def test_any_setting_that_decides_rows_makes_the_build_run_again(
    small_config: Path, small_data_set: Path, tmp_path: Path, change: str
) -> None:
    from flows.fingerprint import current_outcome

    assert current_outcome(load_config(small_config, [change]), small_data_set) is None


def test_a_changed_corpus_is_noticed(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c.jsonl", 12)
    config = write_config(tmp_path / "c.yaml", settings(corpus))
    run_build(config, tmp_path / "out")
    write_corpus(corpus, 13)
    assert run_build(config, tmp_path / "out").was_current is False


def test_a_run_without_rows_says_what_stopped_them(small_corpus: Path, tmp_path: Path) -> None:
    values = {**settings(small_corpus), "gates": [{"gate": "length", "min_words": 60}]}
    with pytest.raises(DataError, match=r"stopped them: .*gate too_few_words [1-9]"):
        run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")


def test_a_preview_prints_each_part_on_a_line_of_its_own_and_says_what_it_cut() -> None:
    row = {
        "task": "llm_query",
        "query_language": "eng-Latn",
        "generator": "m",
        "prompt": "llm_query/eng-Latn",
        "query": "who\nbuilt it",
        "positives": ["p" * 500],
        "positive_scores": [0.5],
        "negatives": ["found", "written"],
        "negative_scores": [0.4, 0.3],
        "negative_ranks": [7, -1],
        "reviews": [],
    }
    said = json.dumps({"candidate_index": 0, "query": "", "raw_reply": "I cannot"})
    stopped = {"row_id": "c", "stage": "generate", "reason": "invalid_json", "detail": ""}
    console = Console(width=60, record=True, file=io.StringIO())
    print_preview(Previewed((), [row], [{**stopped, "row": said}]), console)
    assert [line.rstrip() for line in console.export_text().splitlines()] == [
        "[1] llm_query eng-Latn m  prompt llm_query/eng-Latn",
        "  query     who built it",
        f"  positive  0.500  {'p' * 160}… (500 characters)",
        "  negative  0.400  rank   7  found",
        "  negative  0.300  no rank   written",
        "rejected by generate: invalid_json",
        "  raw_reply I cannot",
    ]
