"""`pairmill relabel` as a process: killed and resumed, and with a real LLM in real vLLM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_cards.verify import verify_data_set
from flows.build import run_build
from flows.relabel_command import relabel_data_set
from tests.flows.small import pairmill, published, settings, write_config, write_corpus
from tests.flows.test_judging import judging_replies


def _config(folder: Path, delay: float = 0.0) -> Path:
    replies = judging_replies(folder / "replies.jsonl")
    engine = {
        "engine": "scripted",
        "replies_file": str(replies),
        "log_file": str(folder / "requests.log"),
        "delay_seconds": delay,
    }
    values = {
        "generators": {"reader": engine},
        "judge": {
            "judges": [{"judge": "graded", "engine": "reader"}],
            "on_unreadable": "keep",
            "agreement": {
                "judge": {"judge": "graded", "engine": "reader", "method": "likelihood"},
                "sample": 10,
            },
        },
        "rows_per_shard": 16,
    }
    return write_config(folder / "judge.yaml", values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delay", "moment"),
    [
        pytest.param(0.02, "requests.log", id="during-judging"),
        pytest.param(0.0, "out/.work/publish", id="during-publishing"),
    ],
)
def test_a_killed_relabelling_resumes_to_the_same_bytes_and_sends_nothing_twice(
    small_data_set: Path, tmp_path: Path, delay: float, moment: str
) -> None:
    out, home, log = tmp_path / "out", tmp_path / "home", tmp_path / "requests.log"
    config = _config(tmp_path, delay)
    arguments = ["relabel", str(small_data_set), "--config", str(config), "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PREFECT_HOME": str(home)},
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / moment).exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists()

    result = pairmill(*arguments, "--json", home=home)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["figures"]["rows"] > 0
    sent = log.read_text().splitlines()
    # The request in flight when the process died was answered but could not be written down.
    assert len(sent) - len(set(sent)) <= 1

    again = tmp_path / "uninterrupted"
    relabel_data_set(small_data_set, config, again)
    assert published(again) == published(out)
    assert verify_data_set(out) == []


@pytest.mark.llm
def test_a_real_model_judges_an_existing_data_set(tmp_path: Path) -> None:
    built = settings(write_corpus(tmp_path / "towns.jsonl", 9))
    built["mining"] = {"num_negatives": 2}
    for entry in built["plan"]["entries"]:
        entry["quotas"] = [{"documents": "eng-Latn", "queries": "eng-Latn", "count": 3}]
    run_build(write_config(tmp_path / "built.yaml", built), tmp_path / "built")
    model = "smollm2"
    sampling = {"temperature": 0.1, "max_tokens": 64}
    values: dict[str, Any] = {
        "generators": {model: {"engine": "vllm", "model": "packaged:smollm2-135m-instruct"}},
        "relabel": {
            "engine": model,
            "apply_to_tasks": ["llm_*"],
            "scorers": [{"scorer": "query_likelihood"}],
        },
        "judge": {
            "judges": [
                {"judge": "graded", "engine": model, "method": "likelihood"},
                {"judge": "graded", "engine": model},
                {"judge": "rlhn", "engine": model, "sampling": sampling},
            ],
            "on_unreadable": "keep",
            "max_document_characters": 200,
            "agreement": {
                "judge": {"judge": "graded", "engine": model, "method": "likelihood"},
                "sample": 5,
            },
        },
    }
    config = write_config(tmp_path / "judge.yaml", values)
    outcome = relabel_data_set(tmp_path / "built", config, tmp_path / "out")
    assert verify_data_set(tmp_path / "out") == []
    assert outcome.figures["LLM requests sent"] > 0
    stages = {stage.name: stage.counts for stage in outcome.stages}
    assert stages["judge"].extra["pairs_judged"] > 0
    rows = pl.read_parquet(tmp_path / "out" / "data" / "*.parquet")
    grades = rows["relevance"].explode().drop_nulls()
    assert set(grades) <= {0, 1, 2, 3}
    judgments = pl.read_parquet(
        tmp_path / "out" / ".work" / "stages" / "judge" / "*" / "judgments.parquet"
    )
    first = judgments.filter(pl.col("judge") == "0:graded")
    # Likelihoods need no parsing: every pair has a grade, and an expected one between 0 and 3.
    assert first["failure"].unique().to_list() == [""]
    expected = first["scorer_scores"].list.first().struct.field("score")
    assert expected.is_between(0, 3).all()
    assert relabel_data_set(tmp_path / "built", config, tmp_path / "out").was_current
