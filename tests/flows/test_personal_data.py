"""Personal data in a whole run: no published file holds what the gate stopped, at any stage."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from data_cards.verify import verify_data_set
from flows.build import run_build
from tests.flows.small import settings, write_config

E_MAIL = "marie.dupont@laposte-mail.fr"
PRIVATE = {"personal_data", "secret"}


def test_no_rejection_of_any_stage_publishes_a_value_that_the_gate_knows(
    small_corpus: Path, tmp_path: Path
) -> None:
    rules = [
        # Read, and stopped by the gate or by its length; the third candidate repeats the first.
        {"match": "Calder", "replies": [f"is {E_MAIL} the mayor of Calder", E_MAIL]},
        {"match": "Wexby", "replies": ["", f"{E_MAIL} " * 30]},
    ]
    replies = tmp_path / "replies.jsonl"
    replies.write_text("\n".join(map(json.dumps, rules)), encoding="utf-8")
    values = settings(small_corpus)
    values["generators"]["writer"] = {"engine": "scripted", "replies_file": str(replies)}
    values["plan"]["entries"][0]["generator"] = "writer"
    values["gates"] = [{"gate": "length", "min_words": 6}, {"gate": "personal_data"}]
    run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    assert verify_data_set(tmp_path / "out") == []
    rejected = pl.read_parquet(tmp_path / "out" / "rejected" / "*.parquet")
    held = rejected.filter(pl.col("row").str.contains("<withheld: e_mail>", literal=True))
    assert set(held["reason"]) >= {"personal_data", "too_few_words"}
    # A candidate that repeats another one stops at once; its raw reply holds the value, too.
    assert set(held["stage"]) >= {"generate", "gate"}
    for folder in ("data", "rejected", "corpus"):
        text = str(pl.read_parquet(tmp_path / "out" / folder / "*.parquet").to_dicts())
        assert "laposte" not in text
    for name in ("README.md", "manifest.json", "croissant.json"):
        assert "laposte" not in (tmp_path / "out" / name).read_text()


def test_a_written_document_with_personal_data_joins_neither_corpus_nor_rows(
    small_corpus: Path, tmp_path: Path
) -> None:
    told = json.dumps({"document": f"Calder is a town by the river. Ask {E_MAIL} about it."})
    replies = tmp_path / "replies.jsonl"
    rule = {"match": "(?s)You rewrite documents.*Calder", "replies": [told]}
    replies.write_text(json.dumps(rule), encoding="utf-8")
    values = settings(small_corpus)
    values["generators"]["writer"] = {"engine": "scripted", "replies_file": str(replies)}
    values["variations"] = [{"task": {"task": "paraphrased_positive"}, "generator": "writer"}]
    for gates, stopped in (([], set()), ([{"gate": "personal_data"}], {"personal_data"})):
        values["gates"] = gates
        run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
        assert verify_data_set(tmp_path / "out") == []
        rejected = pl.read_parquet(tmp_path / "out" / "rejected" / "*.parquet")
        assert set(rejected.filter(pl.col("stage") == "write")["reason"]) & PRIVATE == stopped
        published = [
            str(pl.read_parquet(tmp_path / "out" / folder / "*.parquet").to_dicts())
            for folder in ("corpus", "data", "rejected")
        ]
        assert ["laposte" in text for text in published] == [not stopped, not stopped, False]
