"""Rounds of asking: what joins the corpus, what each shard depends on, and what a rerun asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from flows import resources
from flows.config import RunConfig
from flows.fingerprint import run_fingerprint
from flows.rounds import Place, ask
from flows.run import Run
from flows.workspace import Workspace
from flows.written_stages import check_written_shard
from sdg.ids import content_id
from sdg.llm import ChatRequest, Reply
from sdg.llm.scripted import ScriptedEngine
from sdg.plan import index_documents, plan_requests
from sdg.schemas import LINKS, table_of
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish
from tests.flows.small import settings
from tests.sdg.rows import document_row, documents_of, queries_of, query_row
from tests.sdg.test_decontaminate import write_beir


def config_of(folder: Path, **more: Any) -> RunConfig:
    return RunConfig.model_validate(settings(folder / "unused.jsonl") | more)


def made(space: Workspace, name: str, **tables: pa.Table) -> Shard:
    contents = {key: table.to_pylist() for key, table in tables.items()}
    return finish(space.shard("made", name), contents, lambda: Outcome(tables, Counts()))


def links_of(*rows: tuple[str, str, str]) -> pa.Table:
    return table_of((dict(zip(LINKS.names, (*row, None), strict=True)) for row in rows), LINKS)


def written_for_two_queries(space: Workspace) -> tuple[list[Shard], list[Shard], list[Shard]]:
    """Return queries, what was written for them, and the corpus."""
    texts = ["The bridge of Brell stands", "A mill grinds corn", "Salt comes from the sea"]
    ids = [content_id("d", text) for text in texts]
    rows = [document_row(i, text) for i, text in zip(ids, texts, strict=True)]
    queries = queries_of(
        query_row("q1", "which bridge stands", source_doc_id=ids[0]),
        query_row("q2", "who grinds", source_doc_id=ids[1]),
    )
    links = links_of(
        ("q1", ids[0], "positive"), ("q2", ids[1], "positive"), ("q2", ids[2], "negative")
    )
    corpus = made(space, "corpus", kept=documents_of(document_row("c", "Something else")))
    generated = made(space, "generated", links=links, documents=documents_of(*rows))
    return [made(space, "queries", kept=queries)], [generated], [corpus]


def test_written_documents_of_an_evaluation_set_do_not_join_the_corpus(tmp_path: Path) -> None:
    held = write_beir(
        tmp_path / "held",
        {"e1": "salt comes from the sea", "e2": "x"},
        {"d1": "THE BRIDGE of Brell stands!", "d2": "y"},
    )
    space = Workspace(tmp_path / "out")
    shards = written_for_two_queries(space)
    free = check_written_shard(space, config_of(tmp_path), *shards, "checked")
    assert free.table("kept").num_rows == 3
    config = config_of(tmp_path, decontaminate={"against": [{"path": str(held)}]})
    found = check_written_shard(space, config, *shards, "checked")
    assert found.was_computed
    assert found.table("kept")["text"].to_pylist() == ["A mill grinds corn"]
    assert found.counts.rejected == {"in_evaluation_set_held": 2}
    assert found.table("verdicts")["query_id"].to_pylist() == ["q1"]


class Inline(Run):
    """A run that does its work where it stands."""

    def shards(
        self, name: str, steps: str, task: Any, calls: Any, *, total: int = 0
    ) -> list[Shard]:
        return [task.fn(*arguments) for arguments in calls]


def asked(folder: Path, *entries: dict[str, Any], **more: Any) -> tuple[Inline, list[Shard]]:
    """Return the run of one plan's questions, and the shards of their answers."""
    engines = {name: {"engine": "scripted", **more.pop(name, {})} for name in ("a", "b")}
    quotas = [{"documents": "eng-Latn", "queries": "eng-Latn", "count": 4}]
    plan = {"entries": [{"quotas": quotas, **entry} for entry in entries]}
    off = {"relabel": {"enabled": False}, "generators": engines, "plan": plan}
    config, space = config_of(folder, **off, **more), Workspace(folder / "out")
    text = "The stone bridge of Brell was built by the miller after the great flood of spring"
    rows = [document_row(content_id("d", f"{text} {n}"), f"{text} {n}") for n in range(9)]
    corpus = made(space, "corpus", kept=documents_of(*rows))
    requests = plan_requests(index_documents([documents_of(*rows)]), config.plan, config.seed).kept
    run = Inline()
    with resources.released_at_end():
        found = ask(Place(run, config, space, [corpus], None), requests, "generate", "candidates")
    return run, found


def test_a_preparation_that_was_left_unanswered_leaves_the_run_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complete(_: object, requests: list[ChatRequest]) -> Iterator[Reply]:
        for request in requests:
            yield Reply(request.key, (), "server_error", "down", 0, 0)

    entry = {"task": {"task": "short_long"}, "generator": "a"}
    with monkeypatch.context() as patched:
        patched.setattr(ScriptedEngine, "complete", complete)
        run, _ = asked(tmp_path, entry)
    (stage,) = run.stages
    assert stage.counts.rejected == {"preparation_request_server_error": 4}
    assert stage.counts.extra[UNANSWERED] == 1
    run, _ = asked(tmp_path, entry)
    assert run.stages[0].counts.kept == 4
    assert run.stages[0].counts.extra.get(UNANSWERED, 0) == 0


def test_each_entry_of_a_task_has_its_own_preparer(tmp_path: Path) -> None:
    logs = {name: tmp_path / f"{name}.log" for name in ("a", "b")}
    french = [{"documents": "fra-Latn", "queries": "fra-Latn", "count": 6}]
    _, shards = asked(
        tmp_path,
        {"task": {"task": "short_long"}, "generator": "a"},
        {"task": {"task": "short_long"}, "generator": "a", "prepared_by": "b", "quotas": french},
        a={"log_file": str(logs["a"])},
        b={"log_file": str(logs["b"])},
    )
    # One brainstorm of each entry, and one question per request.
    assert len(logs["b"].read_text().splitlines()) == 1
    assert len(logs["a"].read_text().splitlines()) == 1 + 4 + 6
    assert sum(shard.counts.rows_in for shard in shards) == 10


def test_reviewers_read_what_pools_and_variations_write(tmp_path: Path) -> None:
    def quotas(language: str) -> list[dict[str, Any]]:
        return [{"documents": language, "queries": language, "count": 1}]

    llm = {"task": {"task": "llm_query"}, "generators": {"script": 1}, "quotas": quotas("fra-Latn")}
    natural = {
        "task": {"task": "natural_text", "kind": "title"},
        "quotas": quotas("deu-Latn"),
    }
    review = [{"reviewer": "rubric", "engine": "script"}]
    config = config_of(tmp_path, plan={"entries": [llm, natural]}, review=review)
    assert config._languages_read_by(config.review[0]) == {"fra-Latn"}
    paraphrase = {"task": {"task": "paraphrase_query"}, "generator": "script"}
    config = config.model_validate({**config.model_dump(mode="json"), "variations": [paraphrase]})
    assert config._languages_read_by(config.review[0]) == {"deu-Latn", "fra-Latn"}


def test_a_data_set_is_current_only_with_the_personas_it_was_made_with(
    tmp_path: Path, small_corpus: Path
) -> None:
    def fingerprint_with(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        values = settings(small_corpus)
        entry = values["plan"]["entries"][0]
        entry["task"] = {"task": "specified_query"}
        entry["personas"] = {"path": str(tmp_path / name)}
        return run_fingerprint(RunConfig.model_validate(values))

    first = fingerprint_with("a.txt", "a nurse\na judge\n")
    assert fingerprint_with("a.txt", "a nurse\na miller\n") != first
    assert fingerprint_with("b.txt", "a judge\na nurse\n") == first


class Weights(ScriptedEngine):
    """An engine that says which models were unloaded."""

    name: ClassVar[str] = "weights"
    holds_model: ClassVar[bool] = True
    unloaded: ClassVar[list[str]] = []

    def close(self) -> None:
        self.unloaded.append(str(self.log_file))


def test_the_models_of_the_next_stage_stay_and_all_others_go() -> None:
    first, second, third = (Weights(log_file=name) for name in "abc")
    Weights.unloaded.clear()
    with resources.released_at_end():
        for engine in (first, second, third):
            resources.held(engine)
        resources.make_room_for(None, ScriptedEngine())
        assert Weights.unloaded == []
        resources.make_room_for(Weights(log_file="b"), Weights(log_file="c"))
        assert Weights.unloaded == ["a"]
