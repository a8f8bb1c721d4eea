"""`pairmill relabel DIR`: an existing data set is judged into a new one and is not touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_cards import manifest
from data_cards.verify import verify_data_set
from flows.card_command import render_again
from flows.outcome import RunOutcome
from flows.relabel_command import relabel_data_set
from sdg.errors import ConfigError, DataError
from sdg.ids import seed_for
from sdg.judge.rerank_server import RerankServer
from sdg.llm import Score, ScoreRequest
from sdg.llm.scripted import ScriptedEngine
from tests.flows.small import published, write_config
from tests.flows.test_judging import CUTTING, judging_replies


def _values(folder: Path, **more: Any) -> dict[str, Any]:
    replies = judging_replies(folder / "replies.jsonl")
    return {
        "seed": 5,
        "generators": {
            "reader": {
                "engine": "scripted",
                "replies_file": str(replies),
                "log_file": str(folder / "requests.log"),
            }
        },
        "judge": {"judges": [{"judge": "graded", "engine": "reader"}], "on_unreadable": "keep"},
        "rows_per_shard": 16,
        **more,
    }


def _run(directory: Path, folder: Path, **more: Any) -> RunOutcome:
    config = write_config(folder / "judge.yaml", _values(folder, **more))
    return relabel_data_set(directory, config, folder / "out")


def _rows(directory: Path) -> dict[str, dict[str, Any]]:
    rows = pl.read_parquet(directory / "data" / "*.parquet").to_dicts()
    return {row["query_id"]: row for row in rows}


def test_it_drops_what_was_flagged_and_accounts_for_every_row(
    small_data_set: Path, tmp_path: Path
) -> None:
    before = published(small_data_set)
    _run(small_data_set, tmp_path)
    assert published(small_data_set) == before
    out = tmp_path / "out"
    assert verify_data_set(out) == []
    old, new = _rows(small_data_set), _rows(out)
    rejected = pl.read_parquet(out / "rejected" / "*.parquet").filter(pl.col("stage") == "judge")
    assert set(new) | set(rejected["row_id"]) == set(old)
    assert set(rejected["reason"]) == {"too_few_negatives"}
    for query_id, row in new.items():
        grades = row["relevance"][1:]
        for doc_id, text, grade in zip(row["negative_ids"], row["negatives"], grades, strict=True):
            assert doc_id in old[query_id]["negative_ids"]
            # A script answers without JSON about the Tevin in English; those stay without a grade.
            is_unread = "river Tevin" in text and row["query_language"] == "eng-Latn"
            assert grade in ({None} if is_unread else {0, 1})
            assert "river Orla" not in text
        assert row["split"] == old[query_id]["split"]
        assert row["provenance"] == old[query_id]["provenance"]
    found, source = manifest.load_manifest(out), manifest.load_manifest(small_data_set)
    assert [s.name for s in found.stages] == [s.name for s in source.stages] + [
        "judge",
        "assemble_2",
    ]
    assert found.stages[-2].rows_in == source.rows == len(old)
    assert found.judge is not None
    assert found.judge.left["judged_false_negative"] == sum(
        len(old[i]["negative_ids"]) - len(row["negative_ids"]) for i, row in new.items()
    )
    assert any(fact.text.startswith("rows_short: ") for fact in found.facts)


def test_what_no_judge_could_read_leaves_and_the_old_counts_still_add_up(
    small_data_set: Path, tmp_path: Path
) -> None:
    judge = _values(tmp_path)["judge"]
    _run(small_data_set, tmp_path, judge={**judge, "on_unreadable": "drop"})
    assert verify_data_set(tmp_path / "out") == []
    found = manifest.load_manifest(tmp_path / "out")
    assert found.judge is not None
    rows = _rows(tmp_path / "out").values()
    english = [r for r in rows if r["query_language"] == "eng-Latn"]
    assert english
    assert not [text for r in english for text in r["negatives"] if "river Tevin" in text]
    by_reason = {rule.reason: rule.dropped for rule in found.mining.rules}
    assert by_reason["judged_unreadable"] == found.judge.left["judged_unreadable"] > 0


def test_a_server_that_may_have_cut_is_a_fact_of_the_stage_as_it_is_called_here(
    small_data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RerankServer, "scores", lambda _, pairs: [0.0] * len(pairs))
    _run(small_data_set, tmp_path, judge={"judges": [CUTTING]})
    told = [f.text for f in manifest.load_manifest(tmp_path / "out").facts if f.stage == "judge"]
    assert [text.partition(":")[0] for text in told] == [
        "The judge rerank_server sends truncate_prompt_tokens"
    ]


def test_version_and_date_of_the_old_data_set_are_not_the_new_ones(
    small_data_set: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(small_data_set, source, ignore=shutil.ignore_patterns(".work"))
    render_again(source, ["version=1.0.0", "date_published=2026-11-21", "biases=[Old news.]"])
    _run(source, tmp_path)
    card = manifest.load_manifest(tmp_path / "out").card
    assert (card.version, card.date_published, card.biases) == ("", None, ("Old news.",))
    _run(source, tmp_path, card={"version": "1.1.0"})
    stated = manifest.load_manifest(tmp_path / "out").card
    assert (stated.version, stated.biases) == ("1.1.0", ())


def test_relabel_policy_makes_positives_and_keeps_their_grades(
    small_data_set: Path, tmp_path: Path
) -> None:
    values = _values(tmp_path)["judge"]
    _run(small_data_set, tmp_path, judge={**values, "policy": "relabel"})
    assert verify_data_set(tmp_path / "out") == []
    old, new = _rows(small_data_set), _rows(tmp_path / "out")
    moved = [row for row in new.values() if len(row["positive_ids"]) > 1]
    assert moved
    for row in moved:
        assert set(row["positive_ids"][1:]) <= set(old[row["query_id"]]["negative_ids"])
        assert set(row["relevance"][1 : len(row["positive_ids"])]) <= {2, 3}


def test_gecko_relabelling_takes_a_rows_own_negatives_as_candidates(
    small_data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_hash(self: ScriptedEngine, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        for r in requests:
            draw = seed_for(1, r.prompt, r.continuation) / 2**63
            yield Score(r.key, -draw, 3, 9, "")

    monkeypatch.setattr(ScriptedEngine, "score", by_hash)
    values = _values(tmp_path)
    del values["judge"]
    values["relabel"] = {"engine": "reader", "scorers": [{"scorer": "query_likelihood"}]}
    config = write_config(tmp_path / "c.yaml", values)
    outcome = relabel_data_set(small_data_set, config, tmp_path / "out")
    assert verify_data_set(tmp_path / "out") == []
    old, new = _rows(small_data_set), _rows(tmp_path / "out")
    changed = [i for i, r in new.items() if r["positive_ids"] != old[i]["positive_ids"]]
    assert len(changed) == outcome.figures["positives changed"] > 0
    for query_id in changed:
        was, now = old[query_id], new[query_id]
        assert now["positive_ids"][0] in was["negative_ids"]
        assert now["positive_ids"][0] not in now["negative_ids"]
        assert now["provenance"]["positive_was_relabelled"]
        if not was["provenance"]["positive_was_relabelled"]:
            assert now["provenance"]["original_positive_id"] == was["positive_ids"][0]


def test_running_again_asks_nothing_and_a_lost_manifest_gives_the_same_bytes(
    small_data_set: Path, tmp_path: Path
) -> None:
    _run(small_data_set, tmp_path)
    log = tmp_path / "requests.log"
    first, sent = published(tmp_path / "out"), log.read_text()
    assert _run(small_data_set, tmp_path).was_current
    (tmp_path / "out" / "manifest.json").unlink()
    assert not _run(small_data_set, tmp_path).was_current
    assert published(tmp_path / "out") == first
    assert log.read_text() == sent
    # Another size of shards asks nothing that was answered, and gives the same rows.
    _run(small_data_set, tmp_path, rows_per_shard=7)
    assert published(tmp_path / "out") == first
    assert log.read_text() == sent


def test_a_relabelled_data_set_can_be_relabelled_again(
    small_data_set: Path, tmp_path: Path
) -> None:
    _run(small_data_set, tmp_path)
    second = tmp_path / "second"
    second.mkdir()
    _run(tmp_path / "out", second)
    assert verify_data_set(second / "out") == []
    names = [s.name for s in manifest.load_manifest(second / "out").stages]
    assert names[-4:] == ["judge", "assemble_2", "judge_2", "assemble_3"]
    assert set(_rows(second / "out")) == set(_rows(tmp_path / "out"))


def test_it_writes_only_where_nothing_else_lies(small_data_set: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / "thesis.parquet").write_text("x")
    with pytest.raises(ConfigError, match=r"holds \['data'\]"):
        _run(small_data_set, tmp_path)
    assert [p.name for p in (tmp_path / "out").rglob("*")] == ["data", "thesis.parquet"]
    config = write_config(tmp_path / "c.yaml", _values(tmp_path))
    for inside in (small_data_set, small_data_set / "data" / "new", small_data_set.parent):
        with pytest.raises(ConfigError, match="apart from"):
            relabel_data_set(small_data_set, config, inside)


def test_a_damaged_data_set_is_refused(small_data_set: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(small_data_set, copy, ignore=shutil.ignore_patterns(".work"))
    file = next((copy / "data").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-9] + b"x" * 9)
    with pytest.raises(DataError, match="whole data set"):
        _run(copy, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"judge": {"judges": []}}, "must name at least one judge"),
        ({"judge": {"enabled": False}}, "`judge`, `relabel` or `decontaminate` must be given"),
        ({"generators": {}}, "'reader' is not"),
        ({"relabel": {"engine": "reader", "hard_negative": "last_ranked"}}, "must be none"),
        ({"juge": {}}, "Did you mean `judge`"),
    ],
)
def test_what_cannot_work_is_refused(
    small_data_set: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        _run(small_data_set, tmp_path, **change)
    assert not (tmp_path / "out").exists()


def test_nothing_left_is_an_error_that_says_where_to_look(
    small_data_set: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "replies.jsonl"
    config = write_config(tmp_path / "c.yaml", _values(tmp_path))
    rules.write_text(json.dumps({"match": ".", "replies": ['{"grade":3}']}))
    with pytest.raises(DataError, match="at least one row"):
        relabel_data_set(small_data_set, config, tmp_path / "out")
