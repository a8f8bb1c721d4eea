"""Rounds of asking: what joins the corpus, what each shard depends on, and what a rerun asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.config import RunConfig
from flows.workspace import Workspace
from flows.written_stages import check_written_shard
from sdg.ids import content_id
from sdg.schemas import LINKS, table_of
from sdg.shards import Counts, Outcome, Shard, finish
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
