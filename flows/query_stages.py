"""The stages of queries, from the request to the query that may be mined; see `corpus_stages`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from flows.asking import JournalAsk
from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.progress import advance
from flows.resources import held
from flows.stage_shards import content_of, identity_of, outcome_of, tables_of
from flows.workspace import Workspace
from sdg import cell_yield, duplicate_queries, round_trip
from sdg.gates import apply_gates
from sdg.generate import generate
from sdg.llm import ChatRequest, Reply
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish
from sdg.verdicts import VERDICTS, apply_verdicts


def generate_shard(
    space: Workspace,
    config: RunConfig,
    requests: pa.Table,
    documents: Sequence[Shard],
    name: str,
) -> Shard:
    """Ask for the candidates of one slice of requests, all of one generator.

    Args:
        space: The run's folders.
        config: The run.
        requests: REQUESTS of one generator, or of tasks that ask none.
        documents: The corpus.
        name: The shard's name.
    """
    generator = requests["generator"][0].as_py()
    engine = held(config.generators[generator]) if generator else None
    revision = engine.revision() if engine is not None else ""
    sources = corpus_of(documents).rows(requests["source_doc_id"].combine_chunks())
    folder = space.shard("generate", name)
    tasks = config.plan.tasks()

    def compute() -> Outcome:
        asker = JournalAsk(config.generators, space.journal, folder)
        tokens: Counter[str] = Counter(prompt_tokens=0, completion_tokens=0)

        def ask(batch: Sequence[ChatRequest]) -> list[Reply]:
            replies = asker.complete(generator, batch) if generator else []
            for reply in replies:
                tokens["prompt_tokens"] += reply.prompt_tokens
                tokens["completion_tokens"] += reply.completion_tokens
                if reply.reasoning_tokens:
                    tokens["reasoning_tokens"] += reply.reasoning_tokens
            return replies

        result = generate(requests, sources, tasks, ask, model_revision=revision)
        return outcome_of(result, **tokens, **{UNANSWERED: asker.unanswered})

    names = sorted(set(requests["task"].to_pylist()))
    shard = finish(
        folder,
        identity_of(
            "generate",
            engine=engine.identity() if engine is not None else {},
            revision=revision,
            tasks={t: tasks[t].identity() for t in names},
            requests=content_of(requests),
            sources=content_of(sources),
        ),
        compute,
    )
    if not shard.was_computed or engine is None:
        advance(requests.num_rows)
    return shard


def gate_shard(
    space: Workspace,
    config: RunConfig,
    candidates: Shard,
    documents: Sequence[Shard],
    vocabulary: Shard | None,
) -> Shard:
    """Apply the gates to one shard of candidates."""

    def compute() -> Outcome:
        queries = candidates.table("kept")
        sources = corpus_of(documents).rows(queries["source_doc_id"].combine_chunks())
        words = {} if vocabulary is None else tables_of(vocabulary)
        return outcome_of(apply_gates(queries, sources, config.gates, vocabularies=words))

    return finish(
        space.shard("gate", candidates.folder.name),
        identity_of(
            "gate",
            gates=[gate.identity() for gate in config.gates],
            candidates=candidates.digest,
            vocabulary="" if vocabulary is None else vocabulary.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def find_run_duplicates(space: Workspace, config: RunConfig, gated: Sequence[Shard]) -> Shard:
    """Find equal queries over the whole run."""
    columns = ["query_id", "query", "query_language", "source_doc_id"]

    def compute() -> Outcome:
        batches = (shard.table("kept", columns) for shard in gated)
        verdicts = duplicate_queries.find_duplicate_queries(batches, config.duplicates)
        return Outcome({"verdicts": verdicts}, Counts())

    return finish(
        space.shard("duplicates", "verdicts"),
        identity_of(
            "duplicates",
            config=config.duplicates.model_dump(mode="json"),
            gated=[shard.digest for shard in gated],
        ),
        compute,
    )


def carry_out(space: Workspace, stage: str, verdicts: Shard, queries: Shard) -> Shard:
    """Return one shard of queries without those that a verdict of the whole run stops."""

    def compute() -> Outcome:
        return outcome_of(apply_verdicts(queries.table("kept"), verdicts.table("verdicts"), stage))

    return finish(
        space.shard(stage, queries.folder.name),
        identity_of(stage, verdicts=verdicts.digest, queries=queries.digest),
        compute,
    )


def round_trip_shard(
    space: Workspace,
    config: RunConfig,
    queries: Shard,
    candidates: Shard,
    documents: Sequence[Shard],
) -> Shard:
    """Keep the queries that find their source again, the best one per request."""
    size = sum(shard.counts.kept for shard in documents)
    searched = round_trip.Searched(size, config.seed)

    def compute() -> Outcome:
        table = queries.table("kept")
        result = round_trip.check_round_trip(
            table, candidates.table("candidates"), config.round_trip, searched
        )
        passed = cell_yield.count_candidates([round_trip.passing_queries(result, table)])
        done = outcome_of(result)
        return Outcome({**done.tables, "passed": passed}, done.counts)

    return finish(
        space.shard("round_trip", queries.folder.name),
        identity_of(
            "round_trip",
            config=config.round_trip.model_dump(mode="json"),
            searched=None if config.round_trip.pool is None else list(searched),
            queries=queries.digest,
            candidates=candidates.digest,
        ),
        compute,
    )


def find_low_yield(
    space: Workspace, config: RunConfig, generated: Sequence[Shard], checked: Sequence[Shard]
) -> Shard:
    """Find the cells (generator, task, languages) in which too few candidates pass."""

    def compute() -> Outcome:
        arrived = cell_yield.count_candidates(shard.table("kept") for shard in generated)
        counts = [shard.table("passed") for shard in checked]
        passed = (
            pl.concat([pl.DataFrame(c) for c in counts])
            .group_by(cell_yield.CELL)
            .agg(pl.col("num_candidates").sum())
            .sort(cell_yield.CELL)
        )
        cells = cell_yield.find_low_yield_cells(
            arrived, passed.to_arrow().cast(cell_yield.COUNTS), config.cell_yield
        )
        verdicts = [cell_yield.reject_cells(shard.table("kept"), cells) for shard in checked]
        return Outcome(
            {"verdicts": pa.concat_tables([VERDICTS.empty_table(), *verdicts]), "cells": cells},
            Counts(),
        )

    return finish(
        space.shard("cell_yield", "verdicts"),
        identity_of(
            "cell_yield",
            config=config.cell_yield.model_dump(mode="json"),
            generated=[shard.digest for shard in generated],
            checked=[shard.digest for shard in checked],
        ),
        compute,
    )
