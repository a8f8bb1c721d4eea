"""The whole flow with a real LLM in real vLLM, on a few documents."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from data_cards.verify import verify_data_set
from flows.build import run_build
from tests.flows.small import settings, write_config, write_corpus

pytestmark = pytest.mark.llm


def test_a_real_model_writes_queries_that_find_their_documents(tmp_path: Path) -> None:
    values = settings(write_corpus(tmp_path / "towns.jsonl", 12))
    values["generators"] = {
        "smollm2": {"engine": "vllm", "model": "packaged:smollm2-135m-instruct"}
    }
    written, natural = values["plan"]["entries"]
    written["generator"] = "smollm2"
    written["task"]["sampling"] = {"temperature": 0.7, "max_tokens": 32, "num_candidates": 4}
    written["quotas"] = [{"documents": "eng-Latn", "queries": "eng-Latn", "count": 8}]
    natural["quotas"] = [{"documents": "fra-Latn", "queries": "fra-Latn", "count": 4}]
    values["relabel"]["engine"] = "smollm2"
    values["encoder"] = {"encoder": "use_multilingual"}
    values["index"] = {"index": "faiss_flat"}
    values["mining"]["rules"] = [{"rule": "known_positive"}, {"rule": "same_entity"}]
    config = write_config(tmp_path / "c.yaml", values)
    outcome = run_build(config, tmp_path / "out")

    assert verify_data_set(tmp_path / "out") == []
    assert outcome.figures["LLM requests sent"] > 8
    assert outcome.figures["tokens written"] > 50
    rows = pl.read_parquet(tmp_path / "out" / "data" / "*.parquet")
    ours = rows.filter(pl.col("task") == "llm_query")
    assert len(ours) >= 1
    assert ours["provenance"].struct.field("generator").unique().to_list() == ["smollm2"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {m["role"] for m in manifest["models"]} == {"generate", "relabel"}
    assert manifest["relabel"]["judged"] > 0
    again = run_build(config, tmp_path / "out")
    assert again.was_current
