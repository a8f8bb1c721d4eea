"""The stages of queries, from the candidate to the query that may be mined."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.resources import held
from flows.stage_shards import identity_of, outcome_of, tables_of
from flows.workspace import Workspace
from sdg import cell_yield, duplicate_queries, round_trip
from sdg.gates import apply_gates
from sdg.shards import Counts, Outcome, Shard, finish
from sdg.verdicts import VERDICTS, apply_verdicts


def gate_shard(
    space: Workspace,
    config: RunConfig,
    candidates: Shard,
    documents: Sequence[Shard],
    vocabulary: Shard | None,
) -> Shard:
    """Apply the gates to one shard of candidates."""
    gates = [held(gate) for gate in config.gates]

    def compute() -> Outcome:
        queries = candidates.table("kept")
        sources = corpus_of(documents).rows(queries["source_doc_id"].combine_chunks())
        if (candidates.folder / "documents.parquet").exists():
            # What was written for these queries is about to join the corpus.
            sources = pa.concat_tables([sources, candidates.table("documents")])
        words = {} if vocabulary is None else tables_of(vocabulary)
        return outcome_of(apply_gates(queries, sources, gates, vocabularies=words))

    return finish(
        space.shard("gate", candidates.folder.name),
        identity_of(
            "gate",
            gates=[gate.identity() for gate in gates],
            candidates=candidates.digest,
            vocabulary="" if vocabulary is None else vocabulary.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def find_run_duplicates(
    space: Workspace,
    config: RunConfig,
    gated: Sequence[Shard],
    name: str = "verdicts",
    before: Sequence[Shard] = (),
) -> Shard:
    """Find equal queries over the whole run; those of the rounds before stay."""
    columns = ["query_id", "query", "query_language", "source_doc_id"]

    def compute() -> Outcome:
        batches, standing = (
            (shard.table("kept", columns) for shard in shards) for shards in (gated, before)
        )
        verdicts = duplicate_queries.find_duplicate_queries(batches, config.duplicates, standing)
        return Outcome({"verdicts": verdicts}, Counts())

    return finish(
        space.shard("duplicates", name),
        identity_of(
            "duplicates",
            config=config.duplicates.model_dump(mode="json"),
            gated=[shard.digest for shard in gated],
            before=[shard.digest for shard in before],
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
    tasks = config.tasks()
    several = {t: tasks[t].queries_per_reply for t in tasks if tasks[t].queries_per_reply > 1}

    def compute() -> Outcome:
        table = queries.table("kept")
        result = round_trip.check_round_trip(
            table, candidates.table("candidates"), config.round_trip, searched, several
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
            several=several,
            queries=queries.digest,
            candidates=candidates.digest,
        ),
        compute,
    )


def find_low_yield(
    space: Workspace,
    config: RunConfig,
    generated: Sequence[Shard],
    checked: Sequence[Shard],
    name: str = "verdicts",
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
        space.shard("cell_yield", name),
        identity_of(
            "cell_yield",
            config=config.cell_yield.model_dump(mode="json"),
            generated=[shard.digest for shard in generated],
            checked=[shard.digest for shard in checked],
        ),
        compute,
    )
