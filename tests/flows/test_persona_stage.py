"""The stage of personas: who is given one, what it is cached by, and what stays as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.config import RunConfig
from flows.persona_stage import persona_shard
from flows.planning import plan_shard
from flows.workspace import Workspace
from sdg.errors import DataError
from sdg.ids import content_id
from sdg.shards import Counts, Outcome, Shard, finish
from tests.flows.small import settings
from tests.sdg.rows import document_row, documents_of

TEXTS = ["glass blowing in Calder", "glass makers of Wexby", "salted herring of Torvald"]
PERSONAS = "a glass blower\na herring fisher\na maker of church bells\na glass dealer\n"


def config_of(folder: Path, personas: dict[str, Any] | None, **more: Any) -> RunConfig:
    values = settings(folder / "unused.jsonl")
    quotas = [{"documents": "eng-Latn", "queries": "eng-Latn", "count": 3}]
    task = {"task": "specified_query", "alias": "asked"}
    llm = {"task": task, "generator": "script", "quotas": quotas, "per_document": 2}
    natural = {**values["plan"]["entries"][1], "quotas": quotas}
    if personas is not None:
        llm["personas"] = {"path": str(folder / "personas.txt"), **personas}
    return RunConfig.model_validate({**values, "plan": {"entries": [llm, natural]}, **more})


def corpus_shard(space: Workspace) -> Shard:
    beside = [{"kind": "description", "text": "A town"}]
    rows = [document_row(content_id("d", t), t, parent_id=t, natural_texts=beside) for t in TEXTS]
    table = documents_of(*rows)
    counts = Counts(len(rows), len(rows))
    return finish(space.shared("read", "x"), {}, lambda: Outcome({"kept": table}, counts))


def run(folder: Path, personas: dict[str, Any] | None, **more: Any) -> tuple[Shard, Shard]:
    """Return the plan and what the stage made of it."""
    (folder / "personas.txt").write_text(more.pop("text", PERSONAS), encoding="utf-8")
    space, config = Workspace(folder), config_of(folder, personas, **more)
    documents = corpus_shard(space)
    plan = plan_shard(space, config, [documents])
    return plan, persona_shard(space, config, plan, [documents])


def rows_of(shard: Shard, task: str) -> list[dict[str, Any]]:
    found = [row for row in shard.table("kept").to_pylist() if row["task"] == task]
    return [{**row, "spec": json.loads(row["spec"])} for row in found]


def test_the_nearest_personas_are_those_of_the_document(tmp_path: Path) -> None:
    plan, found = run(tmp_path, {"choose": "nearest", "top_k": 2})
    assert found.counts == Counts(plan.counts.kept, plan.counts.kept)
    for row in rows_of(found, "asked"):
        text = next(t for t in TEXTS if content_id("d", t) == row["source_doc_id"])
        personas = row["spec"]["personas"]
        assert len(personas) == 2
        assert ("herring" if "herring" in text else "glass") in personas[0]
    assert len(rows_of(found, "asked")) == 6


def test_tasks_without_personas_and_the_order_of_the_plan_stay(tmp_path: Path) -> None:
    plan, found = run(tmp_path, {"choose": "random"})
    assert rows_of(found, "natural_description") == rows_of(plan, "natural_description")
    keys = [(r["task"], r["generator"], r["request_id"]) for r in found.table("kept").to_pylist()]
    assert keys == sorted(keys)
    known = set(PERSONAS.splitlines())
    assert all(row["spec"]["persona"] in known for row in rows_of(found, "asked"))


def test_the_stage_is_computed_again_for_other_personas_only(tmp_path: Path) -> None:
    assert run(tmp_path, {"choose": "nearest"})[1].was_computed is True
    reordered = "\n".join([*reversed(PERSONAS.splitlines()), "", ""])
    assert run(tmp_path, {"choose": "nearest"}, text=reordered)[1].was_computed is False
    assert run(tmp_path, {"choose": "nearest", "top_k": 2})[1].was_computed is True
    assert run(tmp_path, {"choose": "nearest", "top_k": 2}, seed=9)[1].was_computed is True
    _, found = run(tmp_path, {"choose": "random"}, text=f"{PERSONAS}a judge\na judge\n")
    assert found.was_computed is True
    assert found.facts == {"asked": {"personas": 5, "duplicates": 1, "empty": 0}}


def test_without_personas_nothing_changes(tmp_path: Path) -> None:
    plan, found = run(tmp_path, None)
    assert found.table("kept").equals(plan.table("kept"))


def test_a_damaged_file_of_personas_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="number 1 holds"):
        run(tmp_path, {}, text="a \x1b judge\n")
