"""What a mined data set says of itself."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from data_cards import manifest, privacy, records
from flows.describe import package_versions
from flows.finished import FinalTables, only
from flows.given_records import given_encoder, given_sources
from flows.given_vectors import vectors_identity
from flows.judging import concat, judges_identity
from flows.mine_config import MineConfig
from flows.mine_facts import facts_of
from flows.mine_judging import judge_models, judge_of, judge_prompts
from flows.mined import Mined
from flows.miners import miner_scores, miners_identity
from flows.mining_records import mining_record
from flows.outcome import StageOutcome
from flows.publish import finish_directory, write_rows
from flows.resources import Documents
from flows.stage_shards import CODE_VERSIONS
from flows.workspace import Workspace
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.schemas import GRADES, NEGATIVES, POSITIVES, QUERIES, REJECTIONS
from sdg.shards import Counts

# How the work is cut and where it runs: none of it changes a row.
_HOW_NOT_WHAT = {"shards", "runner"}
_NOT_ROWS = ("embed", "embed_queries", "propose")


def mine_fingerprint(config: MineConfig) -> str:
    """Return the fingerprint of everything that decides the published rows."""
    settings = config.model_dump(mode="json", exclude={*_HOW_NOT_WHAT, "generators"})
    for name in ("pairs", "corpus"):
        # Where the files lie decides nothing; what is in them is below.
        (settings[name] or {}).pop("path", None)
    for name in ("documents", "queries"):
        (settings["vectors"] or {}).pop(name, None)
    return fingerprint(
        {
            "settings": settings,
            "pairmill": importlib.metadata.version("pairmill"),
            "code": CODE_VERSIONS,
            "pairs": config.pairs.content_identity(),
            "corpus": None if config.corpus is None else config.corpus.content_identity(),
            "vectors": vectors_identity(config),
            "index": config.index.identity(),
            "mining": config.mining.identity(),
            "miners": miners_identity(config),
            "judge": judges_identity(config.judge, config.generators, None),
        }
    )


def publish_mined(
    config: MineConfig, space: Workspace, mined: Mined, stages: Sequence[StageOutcome]
) -> manifest.DataSetManifest:
    """Write data, corpus, rejections, card and manifest, and check every promise on the files.

    Raises:
        ContractError: If the finished directory breaks a promise.
        DataError: If no row is left.
    """
    staging = space.work / "publish"
    shutil.rmtree(staging, ignore_errors=True)
    tables = _final_tables(mined)
    documents = Documents([s.folder / "kept.parquet" for s in [*mined.corpus, mined.added]])
    write_rows(config.assemble, staging, documents, tables)
    described = _describe(config, space, staging, mined, stages, tables)
    finish_directory(staging, space.directory, described)
    return described


def _final_tables(mined: Mined) -> FinalTables:
    negatives = concat(mined.judged.negatives, "kept", NEGATIVES)
    rejecting = [*mined.corpus, mined.pairs, *mined.stopping]
    rejections = concat(rejecting, "rejected", REJECTIONS)
    if not negatives.num_rows:
        reasons = pl.DataFrame(rejections)["reason"].value_counts(sort=True).rows()
        raise DataError(
            f"A data set must keep at least one row, but none is left instead ({reasons}). Take a "
            "larger corpus, relax `mining.rules`, or set `mining.on_shortfall: keep`."
        )
    ids = negatives["query_id"].combine_chunks()
    return FinalTables(
        queries=only(concat(mined.parts, "kept", QUERIES), ids),
        positives=only(concat(mined.judged.positives, "positives", POSITIVES), ids),
        negatives=negatives,
        rejections=rejections,
        grades=concat(mined.judged.judged, "grades", GRADES),
        miners=miner_scores([s for s in mined.others.proposed if s is not None], negatives),
    )


def _describe(
    config: MineConfig,
    space: Workspace,
    staging: Path,
    mined: Mined,
    stages: Sequence[StageOutcome],
    tables: FinalTables,
) -> manifest.DataSetManifest:
    rows = tables.negatives.num_rows
    counted = [
        records.stage_record(s.name, s.unit, s.counts)
        for s in stages
        if s.name not in _NOT_ROWS and (s.counts.rows_in or s.name != "corpus")
    ]
    counted.append(records.stage_record("assemble", "queries", Counts(rows, rows)))
    documents = sum(shard.counts.kept for shard in [*mined.corpus, mined.added])
    documents_in = sum(shard.counts.rows_in for shard in mined.corpus)
    settings = config.model_dump(mode="json", exclude=_HOW_NOT_WHAT)
    languages = tables.queries["query_language"].unique().to_pylist()
    return manifest.checked_manifest(
        {
            "name": config.title,
            "pairmill_version": importlib.metadata.version("pairmill"),
            "licence": config.licence,
            "card": config.card,
            "config": privacy.publishable(settings),
            "fingerprint": mine_fingerprint(config),
            "seeds": {"run": config.seed, "splits": config.assemble.seed},
            "versions": package_versions(),
            "sources": list(given_sources(config, mined.pairs.counts.rows_in, documents_in)),
            "models": judge_models(config),
            "prompts": judge_prompts(config, languages),
            "encoder": given_encoder(config, space),
            "splits": config.assemble.splits,
            "stages": counted,
            "cells": _cells(mined, tables.negatives["query_id"].combine_chunks()),
            "mining": mining_record(
                config.mining, config.index, tables.negatives, documents, config.judge
            ),
            "relabel": None,
            "judge": judge_of(config, mined.judged, stages),
            "facts": list(facts_of(config, mined, stages, tables.negatives, languages)),
            "files": manifest.file_records(staging),
        }
    )


def _cells(mined: Mined, kept_ids: pa.Array) -> list[records.Cell]:
    """Return the yield per pair of languages: queries that were mined, and what became of them."""
    queries = pl.DataFrame(concat(mined.parts, "kept", QUERIES))
    stopped = pl.DataFrame(concat(mined.stopping, "rejected", REJECTIONS))
    key = ["task", "document_language", "query_language", "generator"]
    ends = queries.select("query_id", *key).join(
        stopped.select(query_id="row_id", reason="reason"), on="query_id", how="left"
    )
    is_kept = pl.col("query_id").is_in(pl.Series(kept_ids).implode())
    counted = (
        ends.with_columns(is_kept=is_kept)
        .group_by(*key, "is_kept", "reason")
        .agg(pl.len().alias("count"))
        .sort(*key, "reason")
    )
    cells: dict[tuple[str, ...], dict[str, int]] = {}
    for *names, kept, reason, count in counted.iter_rows():
        cells.setdefault(tuple(names), {})["" if kept else reason] = count
    return [
        records.Cell(
            **dict(zip(key, names, strict=True)),
            requested=sum(counts.values()),
            kept=counts.get("", 0),
            rejected={reason: n for reason, n in counts.items() if reason},
        )
        for names, counts in cells.items()
    ]
