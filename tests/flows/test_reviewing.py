"""Reviewing inside a build: read by a script, published beside the rows, and never asked twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from data_cards import show
from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.config import load_config
from flows.plan_report import lines_of
from flows.preview import plan_run, preview_rows, print_preview
from flows.relabel_command import relabel_data_set
from sdg.errors import ConfigError
from sdg.llm import ChatRequest, Reply
from sdg.llm.scripted import ScriptedEngine
from tests.flows.small import pairmill, published, settings, write_config
from tests.flows.test_resume import _kill_when as kill_when
from tests.flows.test_resume import _start as start


def _marks(overall: float) -> str:
    mark = {"relevance": 8, "accuracy": 9, "context_support": 8, "clarity": 7}
    return json.dumps({**mark, "overall": overall})


def _yes(**changed: str) -> str:
    names = ("self_contained", "clear_intent", "partly_answered", "completely_answered")
    return json.dumps(dict.fromkeys(names, "Y") | changed)


def _replies(path: Path) -> Path:
    """Write replies: towns on the Tevin are marked low, of some others no JSON comes."""
    rules = [
        {"match": r"river Tevin(?s:.*)four marks", "replies": [_marks(6.5)]},
        {"match": r"river (Orla|Dunnow|Silva)(?s:.*)four marks", "replies": ['{"relevance": 8']},
        {"match": "four marks", "replies": [_marks(7)]},
        {"match": "quatre notes", "replies": [_marks(9.5)]},
        {"match": "cuatro notas", "replies": [_marks(11)]},
        {"match": r"river Maresk(?s:.*)four statements", "replies": [_yes(clear_intent="N")]},
        {"match": "quatre affirmations", "replies": [_yes(completely_answered="N")]},
        {"match": "four statements|cuatro afirmaciones", "replies": [_yes()]},
    ]
    path.write_text("\n".join(map(json.dumps, rules)), encoding="utf-8")
    return path


def review_settings(corpus: Path, folder: Path, **engine: Any) -> dict[str, Any]:
    values = settings(corpus)
    replies = str(_replies(folder / "replies.jsonl"))
    values["generators"]["reader"] = {"engine": "scripted", "replies_file": replies, **engine}
    wanted = ["self_contained", "clear_intent", "partly_answered"]
    values["review"] = [
        {"reviewer": "rubric", "engine": "reader"},
        {"reviewer": "answerability", "engine": "reader", "required": wanted},
    ]
    return values


def _tables(directory: Path) -> dict[str, str]:
    return {k: v for k, v in published(directory).items() if k.endswith(".parquet")}


@pytest.fixture(scope="module")
def reviewed(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("review")
    config = write_config(folder / "c.yaml", review_settings(small_corpus, folder))
    run_build(config, folder / "out")
    return folder / "out"


def test_a_reviewed_build_keeps_every_promise_and_says_who_read_what(reviewed: Path) -> None:
    assert verify_data_set(reviewed) == []
    manifest = json.loads((reviewed / "manifest.json").read_text())
    stages = {stage["name"]: stage for stage in manifest["stages"]}
    names = [stage["name"] for stage in manifest["stages"]]
    assert names.index("review") == names.index("cell_yield") + 1 == names.index("relabel") - 1
    stage = stages["review"]
    assert stage["rows_in"] == stages["cell_yield"]["kept"]
    assert stage["kept"] == stages["relabel"]["rows_in"]
    assert stage["rejected"].keys() == {
        "invalid_json",
        "low_overall_score",
        "score_out_of_range",
        "unclear_intent",
    }
    first, second = manifest["review"]["reviewers"]
    assert (first["reviewer"], second["reviewer"]) == ("0:rubric", "1:answerability")
    assert second["asked"] == first["asked"] - first["rejected"]
    assert first["rejected"] + second["rejected"] == sum(stage["rejected"].values())
    overall = first["criteria"][-1]
    assert (overall["criterion"], overall["lowest"]) == ("overall", 7.0)
    assert {m["role"] for m in manifest["models"]} == {"generate", "relabel", "review"}
    [reader] = [m for m in manifest["models"] if m["role"] == "review"]
    assert reader["sampling"]["temperature"] == 0.0
    paths = {p["path"] for p in manifest["prompts"]}
    assert {"rubric/eng-Latn.md", "answerability/fra-Latn.md"} <= paths
    card = (reviewed / "README.md").read_text()
    assert "## Reviewed pairs" in card
    assert "config_name: reviews" in card


def test_the_scores_of_finished_rows_lie_beside_them(reviewed: Path) -> None:
    rows = pl.read_parquet(reviewed / "data" / "*.parquet")
    reviews = pl.read_parquet(reviewed / "reviews" / "*.parquet")
    written = rows.filter(pl.col("provenance").struct.field("generator") != "")
    assert len(written)
    assert set(reviews["query_id"]) == set(written["query_id"])
    assert reviews.group_by("query_id").len()["len"].unique().to_list() == [5 + 4]
    overall = reviews.filter(pl.col("criterion") == "overall")
    joined = overall.join(rows.select("query_id", "query_language"), on="query_id")
    marks = dict(joined.group_by("query_language").agg(pl.col("review_score").unique()).rows())
    assert marks == {"eng-Latn": [7.0], "fra-Latn": [9.5]}


def test_show_gives_the_rows_that_a_reviewer_stopped(reviewed: Path) -> None:
    rows = show.rejected_rows(reviewed, stage="review", reason="low_overall_score").to_pylist()
    assert len(rows)
    for row in rows:
        assert row["detail"].endswith("overall 6.5")
        assert json.loads(row["row"])["reviews"][-1]["review_score"] == 6.5


def test_without_reviewers_there_is_no_stage_and_no_table(small_data_set: Path) -> None:
    manifest = json.loads((small_data_set / "manifest.json").read_text())
    assert "review" not in [stage["name"] for stage in manifest["stages"]]
    assert manifest["review"] is None
    assert not (small_data_set / "reviews").exists()
    assert not (small_data_set / ".work" / "stages" / "review").exists()


def test_relabelling_a_reviewed_data_set_keeps_what_was_said(
    reviewed: Path, tmp_path: Path
) -> None:
    values = {
        "generators": {"script": {"engine": "scripted"}},
        "relabel": {"enabled": False},
        "judge": {
            "enabled": True,
            "judges": [{"judge": "graded", "engine": "script", "method": "likelihood"}],
        },
    }
    config = write_config(tmp_path / "r.yaml", values)
    relabel_data_set(reviewed, config, tmp_path / "again")
    old = pl.read_parquet(reviewed / "reviews" / "*.parquet")
    new = pl.read_parquet(tmp_path / "again" / "reviews" / "*.parquet")
    ids = pl.read_parquet(tmp_path / "again" / "data" / "*.parquet")["query_id"]
    assert new.equals(old.filter(pl.col("query_id").is_in(ids.implode())))
    assert verify_data_set(tmp_path / "again") == []


def test_a_plan_counts_the_requests_to_reviewers(small_corpus: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", review_settings(small_corpus, tmp_path))
    estimate = plan_run(config, tmp_path / "out", ()).estimate
    written = sum(row.candidates for row in estimate.rows if row.generator)
    assert estimate.review_requests == 2 * written
    assert any("reviewers of pairs" in line for line in lines_of(estimate))
    bare = write_config(tmp_path / "b.yaml", settings(small_corpus))
    assert not any("reviewers" in s for s in lines_of(plan_run(bare, tmp_path / "b", ()).estimate))


def test_a_preview_shows_what_reviewers_said(small_corpus: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", review_settings(small_corpus, tmp_path))
    previewed = preview_rows(config, tmp_path / "out", (), 6)
    console = Console(record=True, width=200, file=None, quiet=False)
    with console.capture() as captured:
        print_preview(previewed, console)
    text = captured.get()
    assert "review    0:rubric  relevance 8, accuracy 9" in text
    assert "1:answerability  self_contained 1" in text
    assert "rejected by review: " in text


def test_how_rows_are_cut_into_tasks_changes_no_published_row(
    reviewed: Path, small_corpus: Path, tmp_path: Path
) -> None:
    values = review_settings(small_corpus, tmp_path) | {"shards": {"requests": 5}}
    run_build(write_config(tmp_path / "c.yaml", values), tmp_path / "out")
    ours, theirs = published(tmp_path / "out"), published(reviewed)
    for folder in ("data", "corpus", "reviews"):
        names = [name for name in theirs if name.startswith(f"{folder}/")]
        assert names
        assert {n: ours[n] for n in names} == {n: theirs[n] for n in names}


def test_another_bound_asks_nothing_again(small_corpus: Path, tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    values = review_settings(small_corpus, tmp_path, log_file=str(log))
    config = write_config(tmp_path / "c.yaml", values)
    before = run_build(config, tmp_path / "out")
    sent = log.read_text().splitlines()
    assert len(sent) == len(set(sent))
    assert run_build(config, tmp_path / "out").was_current
    after = run_build(config, tmp_path / "out", ["review.0.min_overall=6"])
    kept = {s.name: s.counts.kept for s in after.stages}
    assert kept["review"] > {s.name: s.counts.kept for s in before.stages}["review"]
    # Only the second reviewer is asked, about the pairs that now come so far.
    new = log.read_text().splitlines()[len(sent) :]
    assert new
    assert not set(new) & set(sent)


def test_a_server_that_fails_for_a_while_leaves_pairs_that_the_next_run_asks_about(
    reviewed: Path, small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "requests.log"
    values = review_settings(small_corpus, tmp_path, log_file=str(log))
    config = write_config(tmp_path / "c.yaml", values)
    usual = ScriptedEngine._reply

    def failing(self: ScriptedEngine, request: ChatRequest, text: str) -> Reply:
        if "quatre notes" in text:
            return Reply(request.key, (), "timed_out", "no answer", 9, 0)
        return usual(self, request, text)

    with monkeypatch.context() as patched:
        patched.setattr(ScriptedEngine, "_reply", failing)
        run_build(config, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    [stage] = [s for s in manifest["stages"] if s["name"] == "review"]
    assert stage["rejected"]["request_timed_out"] == stage["extra"]["unanswered"] > 0
    failed, log_before = stage["extra"]["unanswered"], log.read_text().splitlines()
    assert not run_build(config, tmp_path / "out").was_current
    again = log.read_text().splitlines()[len(log_before) :]
    # Those that failed are asked again, and what they pass then is read by the second reviewer.
    assert len(set(again) & set(log_before)) == failed
    assert _tables(tmp_path / "out") == _tables(reviewed)


@pytest.mark.slow
def test_a_run_killed_while_reviewing_resumes_to_the_same_bytes_and_asks_nothing_twice(
    reviewed: Path, small_corpus: Path, tmp_path: Path
) -> None:
    log, out, home = tmp_path / "requests.log", tmp_path / "out", tmp_path / "home"
    values = review_settings(small_corpus, tmp_path, log_file=str(log), delay_seconds=0.05)
    config = write_config(tmp_path / "c.yaml", values)
    kill_when(start(config, out, home), log)
    assert not (out / "manifest.json").exists()
    result = pairmill("build", config, "--out", out, home=home)
    assert result.returncode == 0, result.stderr
    sent = log.read_text().splitlines()
    # The request in flight when the process died was answered but could not be written down.
    assert len(sent) - len(set(sent)) <= 1
    assert _tables(out) == _tables(reviewed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "gpt"}, "'gpt' is not"),
        ({"reviewer": "vibes"}, "must be one of answerability, rubric"),
        ({"min_overall": 11}, "min_overall"),
    ],
)
def test_a_review_that_cannot_work_is_refused_before_anything_runs(
    small_corpus: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    values = review_settings(small_corpus, tmp_path)
    values["review"][0] |= change
    with pytest.raises(ConfigError, match=message):
        load_config(write_config(tmp_path / "c.yaml", values))
