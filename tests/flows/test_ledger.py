"""What a data set cost is told at the end of a run, the same after one run and after several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.build import run_build
from sdg.errors import BackendError
from tests.flows.small import published, settings, write_config

LEDGER = "LLM ledger"


def test_the_ledger_is_the_same_after_a_run_that_had_to_begin_again(
    small_corpus: Path, tmp_path: Path
) -> None:
    price = {"prompt": 1.0, "completion": 10.0}
    values = settings(small_corpus, price_per_million_tokens=price)
    config = write_config(tmp_path / "c.yaml", values)
    whole = run_build(config, tmp_path / "out").figures
    assert whole[LEDGER]["requests"] == whole["LLM requests sent"] > 36
    assert whole[LEDGER]["cost"] == pytest.approx(
        (whole[LEDGER]["tokens read"] + 10 * whole[LEDGER]["tokens written"]) / 1e6, abs=1e-4
    )
    per_thousand = whole[LEDGER + " per 1,000 rows"]["tokens read"]
    assert per_thousand == pytest.approx(1000 * whole[LEDGER]["tokens read"] / whole["rows"])

    # As if killed before publishing, with one shard of generation not finished.
    (tmp_path / "out" / "manifest.json").unlink()
    (tmp_path / "out" / ".work" / "stages" / "generate" / "00000" / "manifest.json").unlink()
    again = run_build(config, tmp_path / "out").figures
    assert again["LLM requests sent"] == 0
    assert again[LEDGER] == whole[LEDGER]


def test_a_batch_file_stops_the_run_after_its_stage_with_what_to_do(
    small_corpus: Path, small_data_set: Path, tmp_path: Path
) -> None:
    values = settings(small_corpus)
    values["generators"]["files"] = {
        "engine": "batch_file",
        "folder": str(tmp_path / "batch"),
        "model": "m",
        "model_revision": "r",
    }
    values["plan"]["entries"][0]["generator"] = "files"
    config = write_config(tmp_path / "c.yaml", values)
    with pytest.raises(BackendError, match=r"36 requests must be answered by 'm' first") as caught:
        run_build(config, tmp_path / "out")
    assert (caught.value.exit_status, caught.value.retryable) == (3, True)
    lines = (tmp_path / "batch" / "requests" / "0000.jsonl").read_text().splitlines()
    assert len(lines) == 36
    assert not (tmp_path / "out" / "manifest.json").exists()

    (tmp_path / "batch" / "replies").mkdir()
    (tmp_path / "batch" / "replies" / "0000.jsonl").write_text("".join(map(_answer, lines)))
    outcome = run_build(config, tmp_path / "out")
    generated = next(stage for stage in outcome.stages if stage.name == "generate")
    assert generated.counts.rejected == {"duplicate_candidate": 72}
    assert outcome.figures[LEDGER]["tokens written"] >= 36 * 9
    assert published(tmp_path / "out")


def _answer(line: str) -> str:
    asked = json.loads(line)
    words = asked["body"]["prompt"].split()
    choices = [
        {"index": i, "text": " ".join(words[-14:-6]), "finish_reason": "stop"} for i in range(3)
    ]
    body = {"choices": choices, "usage": {"prompt_tokens": 50, "completion_tokens": 9}}
    response = {"status_code": 200, "body": body}
    told = {"custom_id": asked["custom_id"], "response": response, "error": None}
    return json.dumps(told) + "\n"
