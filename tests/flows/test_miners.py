"""Several miners in a whole run: what each said about a row is in the data set."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_cards.manifest import load_manifest
from flows.config import parse_config
from sdg.errors import ConfigError
from tests.flows.small import published, settings, write_config, write_corpus

MINERS: list[dict[str, Any]] = [
    {"miner": "bm25", "top_k": 20},
    {
        "miner": "dense",
        "label": "letters",
        "top_k": 20,
        "encoder": {"encoder": "hashing", "min_length": 1, "max_length": 1},
        "index": {"index": "faiss_hnsw"},
    },
]


def _build(folder: Path) -> Path:
    from flows.build import run_build

    values = settings(write_corpus(folder / "towns.jsonl", 12))
    # Without bounds relative to the positive, so that other miners' candidates survive.
    rules = [{"rule": "known_positive"}, {"rule": "same_entity"}]
    values["mining"] = {"num_negatives": 3, "rules": rules, "miners": MINERS}
    values["index"] = {"index": "faiss_ivf", "lists": 4, "probes": 1}
    for entry in values["plan"]["entries"]:
        for quota in entry["quotas"]:
            quota["count"] = 5
    run_build(write_config(folder / "run.yaml", values), folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def built(prefect_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(tmp_path_factory.mktemp("miners"))


@pytest.mark.slow
def test_what_each_miner_said_about_a_rows_documents_is_published(built: Path) -> None:
    rows = pl.read_parquet(built / "data" / "*.parquet")
    scores = pl.read_parquet(built / "miners" / "*.parquet")
    assert set(scores["source"]) == {"bm25", "dense:hashing", "dense:letters"}
    keys = ["query_id", "doc_id", "source"]
    assert scores.select(keys).rows() == sorted(scores.select(keys).unique().rows())
    used = {
        (row["query_id"], doc_id)
        for row in rows.to_dicts()
        for doc_id in [*row["positive_ids"], *row["negative_ids"]]
    }
    assert set(scores.select("query_id", "doc_id").rows()) <= used
    found = scores.filter(pl.col("source") == "dense:hashing")
    stated = {
        (row["query_id"], doc_id): (rank, score)
        for row in rows.to_dicts()
        for doc_id, rank, score, source in zip(
            row["negative_ids"],
            row["negative_ranks"],
            row["negative_scores"],
            row["negative_sources"],
            strict=True,
        )
        if source == "dense:hashing"
    }
    said = {(q, d): (rank, score) for q, d, _, rank, score in found.rows()}
    assert stated.items() & said.items()
    for key in stated.keys() & said.keys():
        assert said[key][1] == pytest.approx(stated[key][1], abs=1e-6)


@pytest.mark.slow
def test_the_manifest_states_the_recall_of_every_approximate_index(built: Path) -> None:
    texts = [fact.text for fact in load_manifest(built).facts if fact.kind == "fallback"]
    assert any(t.startswith("The index faiss_ivf of dense:hashing is approximate") for t in texts)
    assert any(t.startswith("The index faiss_hnsw of dense:letters is approximate") for t in texts)
    assert "is approximate" in (built / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_second_run_finds_everything_done_and_a_lost_index_is_made_again(built: Path) -> None:
    from flows.build import run_build

    before = published(built)
    assert run_build(built.parent / "run.yaml", built).was_current
    for path in (built / ".work" / "indexes").glob("bm25-*/scores.npy"):
        path.unlink()
    for path in (built / ".work" / "stages" / "propose").glob("*/manifest.json"):
        path.unlink()
    (built / "manifest.json").unlink()
    run_build(built.parent / "run.yaml", built)
    assert published(built) == before


def test_settings_of_miners_travel_to_other_processes(tmp_path: Path) -> None:
    values = settings(write_corpus(tmp_path / "towns.jsonl", 4))
    values["mining"] = {"miners": MINERS}
    config = parse_config(values, "test")
    again = pickle.loads(pickle.dumps(config))  # noqa: S301 - our own bytes
    assert [m.identity() for m in again.mining.miners] == [
        m.identity() for m in config.mining.miners
    ]


@pytest.mark.parametrize(
    ("miners", "message"),
    [
        ([{"miner": "bm25"}, {"miner": "bm25", "k1": 0.9}], "must have different names"),
        ([{"miner": "dense", "encoder": {"encoder": "hashing"}}], "other names than the encoder"),
        ([{"miner": "bm52"}], "`miner` must be one of bm25, dense"),
    ],
)
def test_miners_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, miners: list[dict[str, Any]], message: str
) -> None:
    values = settings(write_corpus(tmp_path / "towns.jsonl", 4))
    values["mining"] = {"miners": miners}
    with pytest.raises(ConfigError, match=message):
        parse_config(values, "test")
