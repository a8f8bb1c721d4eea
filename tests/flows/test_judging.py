"""Judging inside a build: a pool is mined, judged by a script, and cut; the card says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.judge_records import judge_facts
from flows.judging import judges_identity
from sdg.errors import ConfigError
from sdg.judge.config import JudgeConfig
from sdg.judge.rerank_server import RerankServer
from tests.flows.small import settings, write_config


def judging_replies(path: Path) -> Path:
    """Write replies: towns on the river Orla answer, too; one prompt gets no JSON."""
    rules = [
        {"match": r"grade how well(?s:.*)<document>\n.*river Tevin", "replies": ["no idea"]},
        {"match": r"grade how well(?s:.*)<document>\n.*river Orla", "replies": ['{"grade":3}']},
        {"match": "grade how well", "replies": ['{"grade":1}']},
        {"match": "Vous notez", "replies": ['{"grade":0}']},
        {"match": "Usted califica", "replies": ['{"grade":2}']},
    ]
    path.write_text("\n".join(map(json.dumps, rules)), encoding="utf-8")
    return path


def judge_settings(corpus: Path, folder: Path, **judge: Any) -> dict[str, Any]:
    values = settings(corpus)
    replies = str(judging_replies(folder / "replies.jsonl"))
    values["generators"]["reader"] = {"engine": "scripted", "replies_file": replies}
    values["judge"] = {
        "enabled": True,
        "judges": [{"judge": "graded", "engine": "reader"}],
        "pool": 8,
        "on_unreadable": "keep",
        **judge,
    }
    return values


# A server that cuts and does not say what.
CUTTING: dict[str, Any] = {
    "judge": "rerank_server",
    "base_urls": ["http://127.0.0.1:9/v1"],
    "model": "ranker",
    "model_revision": "1",
    "threshold": 0.5,
    "extra_body": {"truncate_prompt_tokens": -1},
}


def _rows(directory: Path) -> pl.DataFrame:
    return pl.read_parquet(directory / "data" / "*.parquet")


def test_a_judged_build_publishes_what_the_judge_left_and_its_grades(
    small_corpus: Path, tmp_path: Path
) -> None:
    values = judge_settings(
        small_corpus,
        tmp_path,
        agreement={
            "judge": {"judge": "graded", "engine": "script", "method": "likelihood"},
            "sample": 12,
        },
    )
    values["relabel"]["hard_negative"] = "last_ranked"
    config = write_config(tmp_path / "c.yaml", values)
    outcome = run_build(config, tmp_path / "out")
    assert verify_data_set(tmp_path / "out") == []
    rows = _rows(tmp_path / "out").filter(pl.col("query_language") == "eng-Latn")
    assert len(rows)
    for row in rows.iter_rows(named=True):
        assert len(row["negative_ids"]) == 4
        grades = row["relevance"][len(row["positive_ids"]) :]
        for text, grade in zip(row["negatives"], grades, strict=True):
            assert "river Orla" not in text
            assert grade == (None if "river Tevin" in text else 1)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    record = manifest["judge"]
    stages = {stage["name"]: stage for stage in manifest["stages"]}
    assert stages["judge"]["rows_in"] == stages["mine"]["kept"]
    # Every Spanish negative was graded 2: those queries have nothing left or too many flags.
    assert stages["judge"]["rejected"].keys() <= {"too_few_negatives", "too_many_false_negatives"}
    assert stages["judge"]["extra"]["unreadable_invalid_json"] == record["pairs_unreadable"] > 0
    assert record["agreement"]["sampled"] == 12
    assert record["agreement"]["second"]["part"] == 0
    assert {m["role"] for m in manifest["models"]} == {"generate", "relabel", "judge"}
    assert any(p["path"].startswith("graded/") for p in manifest["prompts"])
    card = (tmp_path / "out" / "README.md").read_text()
    assert "## Judged negatives" in card
    assert "no judge has read the rows" not in card
    assert "Cohen's kappa" in card
    sources = _rows(tmp_path / "out")["negative_sources"].list.first().unique().to_list()
    assert "relabel:last_ranked" in sources
    assert outcome.figures["LLM requests sent"] > 0
    assert run_build(config, tmp_path / "out").was_current


def test_relabel_makes_positives_of_flagged_negatives(small_corpus: Path, tmp_path: Path) -> None:
    values = judge_settings(small_corpus, tmp_path, policy="relabel")
    run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    assert verify_data_set(tmp_path / "out") == []
    rows = _rows(tmp_path / "out").filter(pl.col("positive_ids").list.len() > 1)
    assert len(rows)
    for row in rows.iter_rows(named=True):
        assert row["relevance"][0] is None
        assert set(row["relevance"][1 : len(row["positive_ids"])]) <= {2, 3}
        assert (
            row["positive_ids"][0] == row["provenance"]["source_doc_id"]
            or (row["provenance"]["positive_was_relabelled"])
        )


@pytest.mark.parametrize(
    ("extra_body", "told"),
    [
        ({"truncate_prompt_tokens": -1}, "truncate_prompt_tokens"),
        ({"truncation": True, "max_tokens_per_doc": 512}, "max_tokens_per_doc, truncation"),
        ({"truncate": False, "truncate_prompt_tokens": None, "priority": 1}, ""),
        ({}, ""),
    ],
)
def test_the_card_says_of_a_server_that_may_cut_that_it_may(
    extra_body: dict[str, Any], told: str
) -> None:
    judge = {**CUTTING, "extra_body": extra_body}
    # Asked twice, told once.
    config = JudgeConfig.model_validate(
        {"enabled": True, "judges": [judge], "agreement": {"judge": judge}}
    )
    facts = list(judge_facts(config))
    assert [(fact.kind, fact.stage) for fact in facts] == [("fallback", "judge")] * bool(told)
    assert [fact.text for fact in facts] == [
        f"The judge rerank_server sends {told}: its server may have read beginnings only, and "
        "does not say of which texts."
    ] * bool(told)
    assert list(judge_facts(config.model_copy(update={"enabled": False}))) == []


def test_a_build_says_that_a_server_may_have_cut_what_it_judged(
    small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RerankServer, "scores", lambda _, pairs: [0.0] * len(pairs))
    values = judge_settings(small_corpus, tmp_path, judges=[CUTTING])
    run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())["facts"]
    told = [fact["text"] for fact in facts if fact["stage"] == "judge"]
    assert [text.partition(":")[0] for text in told] == [
        "The judge rerank_server sends truncate_prompt_tokens"
    ]


def test_a_judge_that_names_no_configured_engine_is_refused(
    small_corpus: Path, tmp_path: Path
) -> None:
    values = judge_settings(small_corpus, tmp_path)
    values["judge"]["judges"] = [{"judge": "rlhn", "engine": "gpt"}]
    with pytest.raises(ConfigError, match="'gpt' is not"):
        run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")


def _identity_of_reranker(**changes: Any) -> dict[str, Any]:
    judge = {
        "judge": "rerank_server",
        "base_urls": ["http://one:8000/v1"],
        "model": "ranker",
        "model_revision": "1",
        "threshold": 0.5,
        **changes,
    }
    return judges_identity(JudgeConfig.model_validate({"enabled": True, "judges": [judge]}), {}, [])


def test_where_a_judge_is_reached_does_not_make_finished_rows_be_judged_again() -> None:
    before = _identity_of_reranker()
    assert _identity_of_reranker(base_urls=["http://two:8000/v1"], max_in_flight=2) == before
    assert _identity_of_reranker(threshold=0.6) != before
