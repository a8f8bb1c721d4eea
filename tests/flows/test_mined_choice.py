"""Which negatives `pairmill mine` publishes: fills, shares of miners, what a judge leaves."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pytest

from data_cards.manifest import load_manifest
from data_cards.verify import verify_data_set
from flows.mine import mine_pairs
from flows.mine_config import MineConfig
from flows.mining_presets import expand_preset
from flows.settings import parse_settings
from sdg.errors import BackendError, ConfigError, DataError
from tests.flows import pairs

RULES = [
    {"rule": "known_positive"},
    {"rule": "same_entity"},
    {"rule": "exact_duplicate"},
    {"rule": "near_duplicate", "jaccard": 0.95},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("towns")
    pairs.write_jsonl(folder / "pairs.jsonl", pairs.pair_rows(18))
    pairs.write_jsonl(folder / "corpus.jsonl", pairs.corpus_rows(18))
    return folder


def mined(config: MineConfig, out: Path) -> list[dict[str, Any]]:
    mine_pairs(config, out)
    assert [str(problem) for problem in verify_data_set(out)] == []
    return pl.read_parquet(out / "data" / "*.parquet").to_dicts()


def sources(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(source for row in rows for source in row["negative_sources"])


def test_lists_that_are_filled_at_random_are_counted_and_published(
    folder: Path, tmp_path: Path
) -> None:
    window = {"rule": "rank_window", "first": 40, "last": 43}
    mining = {
        "num_negatives": 7,
        "rules": [*RULES, window],
        "selection": {"strategy": "uniform", "sample_from": 50},
        "on_shortfall": "random_fill",
    }
    rows = mined(pairs.config(folder, mining=mining), tmp_path)
    assert len(rows) == 54
    assert {len(row["negative_ids"]) for row in rows} == {7}
    found = sources(rows)
    assert found["random"] >= 54 * 4
    assert found["dense:hashing"] > 54
    record = load_manifest(tmp_path).mining
    assert record.selected == 54 * 7
    # Each query looked at all up to the window's end, and took its random documents beside.
    dropped = sum(rule.dropped for rule in record.rules)
    assert record.candidates == dropped + record.selected + record.not_needed
    assert record.not_needed >= 0


@pytest.mark.parametrize(("preset", "is_filled"), [("kalm", True), ("bge", False)])
def test_recipes_that_fill_at_random_run_on_a_corpus_smaller_than_their_window(
    preset: str, is_filled: bool, folder: Path, tmp_path: Path
) -> None:
    values = pairs.values(folder, mining={"preset": preset, "max_above": None})
    config = parse_settings(expand_preset(values), "test", MineConfig)
    rows = mined(config, tmp_path)
    assert len(rows) == 54
    assert {len(row["negative_ids"]) for row in rows} == {config.mining.num_negatives}
    assert (sources(rows)["random"] > 0) == is_filled


def test_random_documents_come_from_where_the_query_is_searched(tmp_path: Path) -> None:
    # Six towns of the query's language among 186: drawn from all, most draws would be in vain.
    rows = pairs.corpus_rows(90)
    few = [row for row in rows if row["language"][:2] == "fr"][:6]
    corpus = few + [row for row in rows if row["language"][:2] != "fr"]
    assert len(few) == 6 and len(corpus) == 186
    pairs.write_jsonl(tmp_path / "corpus.jsonl", corpus)
    asked = [{"query": "une ville", "query_language": "fra-Latn", "positive_ids": [few[0]["id"]]}]
    pairs.write_jsonl(tmp_path / "pairs.jsonl", asked)
    window = {"rule": "rank_window", "first": 3, "last": 4}
    mining = {
        "num_negatives": 5,
        "rules": [*RULES, {"rule": "language", "policy": "same"}, window],
        "on_shortfall": "random_fill",
    }
    (row,) = mined(pairs.config(tmp_path, mining=mining), tmp_path / "out")
    assert set(row["negative_ids"]) == {own["id"] for own in few[1:]}
    assert row["negative_sources"].count("random") >= 4


def test_by_miner_each_gives_its_share_although_the_search_scores_higher(
    folder: Path, tmp_path: Path
) -> None:
    def shares(**selection: Any) -> Counter[str]:
        mining = {
            "num_negatives": 4,
            "rules": RULES,
            "miners": [{"miner": "bm25", "top_k": 54}],
            "selection": selection,
        }
        return sources(mined(pairs.config(folder, mining=mining), tmp_path / str(len(selection))))

    by_miner = shares(strategy="stratified", by="miner")
    # BM25's own are those that are not among the search's ten hardest.
    assert by_miner["bm25"] == by_miner["dense:hashing"] == 54 * 2
    # Without shares the hardest are the search's own, as if nobody else had been asked.
    assert shares(strategy="top")["bm25"] == 0


def test_one_more_miner_makes_no_row_easier(folder: Path, tmp_path: Path) -> None:
    mining: dict[str, Any] = {"num_negatives": 4, "rules": [*RULES, {"rule": "percent"}]}
    alone = mined(pairs.config(folder, mining=mining), tmp_path / "alone")
    mining["miners"] = [{"miner": "bm25", "top_k": 10}]
    joined = mined(pairs.config(folder, mining=mining), tmp_path / "joined")
    own = {row["query_id"]: row["negative_scores"] for row in alone}
    more = {row["query_id"]: row["negative_scores"] for row in joined}
    assert own == more


def test_half_of_the_negatives_are_chunks_of_the_positives_document(tmp_path: Path) -> None:
    corpus = [
        {"id": f"{row['id']}-{part}", "text": text, "parent": row["id"], "chunk_index": part}
        for row in pairs.corpus_rows(12)
        for part, text in enumerate(row["text"].split(". "))
    ]
    assert len(corpus) >= 36 * 3
    asked = [{**r, "positive_ids": [f"{r['positive_ids'][0]}-0"]} for r in pairs.pair_rows(12)]
    pairs.write_jsonl(tmp_path / "corpus.jsonl", corpus)
    pairs.write_jsonl(tmp_path / "pairs.jsonl", asked)
    values = expand_preset(pairs.values(tmp_path, mining={"preset": "insent"}))
    rows = mined(parse_settings(values, "test", MineConfig), tmp_path / "out")
    found = sources(rows)
    assert found["in_document"] == 2 * len(rows)
    for row in rows:
        for doc_id, source in zip(row["negative_ids"], row["negative_sources"], strict=True):
            is_same = doc_id.rpartition("-")[0] == row["positive_ids"][0].rpartition("-")[0]
            assert is_same == (source == "in_document")


def test_in_document_negatives_need_documents_of_several_chunks(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="each of the 54 rows of the corpus is a document of its"):
        mine_pairs(pairs.config(folder, in_document=2), tmp_path)


def test_a_rule_on_a_column_asks_the_column_that_was_given(folder: Path, tmp_path: Path) -> None:
    towns = pairs.corpus_rows(18)
    corpus = [{**row, "source": "ab"[number % 2]} for number, row in enumerate(towns)]
    pairs.write_jsonl(tmp_path / "corpus.jsonl", corpus)
    source_of = {row["id"]: row["source"] for row in corpus}
    given = {"path": str(tmp_path / "corpus.jsonl"), "licence": "cc0-1.0"}
    rule = {"rule": "attribute", "policies": {"source": "same"}}
    mining = {"num_negatives": 3, "rules": [*RULES, rule]}
    with pytest.raises(ConfigError, match=r"but 'source' is not kept .* `corpus.attributes`"):
        pairs.config(folder, corpus=given, mining=mining)
    kept = {**given, "attributes": ["source"]}
    rows = mined(pairs.config(folder, corpus=kept, mining=mining), tmp_path / "out")
    assert len(rows) == 54
    for row in rows:
        own = source_of[row["positive_ids"][0]]
        assert {source_of[doc_id] for doc_id in row["negative_ids"]} == {own}


def test_load_dataset_gives_the_rows_that_are_there_now(folder: Path, tmp_path: Path) -> None:
    def counts(directory: Path) -> set[int]:
        loaded = datasets.load_dataset(str(directory), cache_dir=str(tmp_path / "cache"))
        return {len(ids) for ids in loaded["train"]["negative_ids"][:]}

    def mine_into(directory: Path, num_negatives: int) -> Path:
        mining = {"num_negatives": num_negatives, "rules": RULES}
        mine_pairs(pairs.config(folder, mining=mining), directory)
        return directory

    assert counts(mine_into(tmp_path / "a" / "towns", 2)) == {2}
    assert counts(mine_into(tmp_path / "a" / "towns", 3)) == {3}
    # Another folder of the same name.
    assert counts(mine_into(tmp_path / "b" / "towns", 4)) == {4}


@pytest.mark.parametrize("place", ["index", "miners"])
def test_a_gpu_that_is_not_there_is_told_before_anything_is_embedded(
    place: str, folder: Path, tmp_path: Path
) -> None:
    faiss = pytest.importorskip("faiss")
    if getattr(faiss, "get_num_gpus", lambda: 0)():
        pytest.skip("there is a GPU")
    index = {"index": "faiss_flat", "device": "gpu"}
    second = {"miner": "dense", "label": "b", "encoder": pairs.ENCODER, "index": index}
    changes = {"index": index} if place == "index" else {"mining": {"miners": [second]}}
    with pytest.raises(BackendError, match="FAISS sees 0 GPUs"):
        mine_pairs(pairs.config(folder, **changes), tmp_path)
    assert not (tmp_path / ".work" / "vectors").exists()


def judge(folder: Path) -> dict[str, Any]:
    """Return a judge that calls nothing relevant."""
    rule = {"match": ".", "replies": [json.dumps({"grade": 0})]}
    replies = pairs.write_jsonl(folder / "replies.jsonl", [rule])
    return {
        "generators": {"script": {"engine": "scripted", "replies_file": str(replies)}},
        "judge": {
            "enabled": True,
            "judges": [{"judge": "graded", "engine": "script"}],
            "pool": 12,
        },
    }


def test_a_judge_leaves_the_choice_to_the_strategy(folder: Path, tmp_path: Path) -> None:
    selection = {"strategy": "uniform", "sample_from": 30}
    mining = {"num_negatives": 3, "rules": RULES, "selection": selection}
    alone = mined(pairs.config(folder, mining=mining), tmp_path / "alone")
    judged = mined(pairs.config(folder, mining=mining, **judge(tmp_path)), tmp_path / "judged")
    # Nothing was flagged, so the same three of thirty are taken, hardest first.
    assert [row["negative_ids"] for row in judged] == [row["negative_ids"] for row in alone]
    assert [row["negative_scores"] for row in judged] == [row["negative_scores"] for row in alone]
    assert all(row["relevance"][1:] == [0, 0, 0] for row in judged)


def test_what_a_judge_does_not_see_does_not_fill_its_rows(folder: Path) -> None:
    mining = {"on_shortfall": "random_fill"}
    with pytest.raises(ConfigError, match="must be drop or keep where a judge looks"):
        pairs.config(folder, mining=mining, **judge(folder))
