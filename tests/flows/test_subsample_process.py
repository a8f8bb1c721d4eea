"""`pairmill subsample`, killed while it searches, and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from flows.mine_config import MineConfig
from flows.settings import parse_settings
from flows.subsample import subsample_pairs
from flows.subsample_publish import Limits
from tests.flows import pairs
from tests.flows.small import pairmill, published


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    pairs.write_jsonl(tmp_path / "pairs.jsonl", pairs.pair_rows()[:45])
    pairs.write_jsonl(tmp_path / "corpus.jsonl", pairs.corpus_rows())
    # As few as five queries a shard, so that the run cannot end before it is killed.
    values = pairs.values(tmp_path, mining={"miners": [{"miner": "bm25"}]}, shards={"queries": 5})
    whole = tmp_path / "whole"
    subsample_pairs(parse_settings(values, "test", MineConfig), whole, Limits(4, 60))

    out, home, settings = tmp_path / "out", tmp_path / "home", tmp_path / "mine.yaml"
    settings.write_text(yaml.safe_dump(values), encoding="utf-8")
    limits = ["--top-n", "4", "--max-documents", "60"]
    asked = ["subsample", "--config", str(settings), "--out", str(out), *limits]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *asked],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PREFECT_HOME": str(home)},
    )
    near = out / ".work" / "stages" / "near"
    deadline = time.monotonic() + 120
    while not (near / "00001" / "manifest.json").exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists()
    done = {path: path.stat().st_mtime_ns for path in near.glob("*/manifest.json")}

    result = pairmill(*asked, "--json", home=home)
    assert result.returncode == 0, result.stderr
    stages = {s["name"]: s for s in json.loads(result.stdout)["stages"]}
    assert (stages["embed"]["computed"], stages["embed_queries"]["computed"]) == (0, 0)
    assert 1 <= len(done) <= stages["near"]["shards"]
    assert stages["near"]["computed"] == stages["near"]["shards"] - len(done)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert published(out) == published(whole)
