"""What a mined data set says of itself."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

import prompts
from data_cards import manifest, privacy, records
from flows.given_vectors import given_dimension, given_revision, vectors_identity
from flows.judging import concat, judges_identity
from flows.mine_config import MineConfig
from flows.mine_judging import Judged, judge_models, judge_of, judge_prompts
from flows.outcome import StageOutcome
from flows.publish import (
    FinalTables,
    encoder_name,
    finish_directory,
    mining_record,
    only,
    package_versions,
    write_rows,
)
from flows.resources import Documents, held
from flows.stages import CODE_VERSIONS
from flows.workspace import Workspace
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.pairs.tables import TableSource
from sdg.schemas import GRADES, NEGATIVES, POSITIVES, QUERIES, REJECTIONS
from sdg.shards import UNANSWERED, Counts, Shard

# How the work is cut and where it runs: none of it changes a row.
_HOW_NOT_WHAT = {"shards", "runner"}
_NOT_ROWS = ("embed", "embed_queries")


class Mined(NamedTuple):
    """The shards that publishing reads.

    Attributes:
        corpus: read_corpus.
        pairs: Of all pairs: what was rejected, and counts.
        added: Documents that only the pairs know.
        parts: Queries and positives.
        negatives: mine, one for each of `parts`.
        judged: The rows after judging.
        embedded: embed.
    """

    corpus: Sequence[Shard]
    pairs: Shard
    added: Shard
    parts: Sequence[Shard]
    negatives: Sequence[Shard]
    judged: Judged
    embedded: Sequence[Shard]

    @property
    def stopping(self) -> list[Shard]:
        """Return the shards whose table rejected holds queries."""
        return [*self.negatives, *self.judged.judged]


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
            "judge": judges_identity(config.judge, config.generators, prompts.languages("graded")),
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
    settings = config.model_dump(mode="json", exclude=_HOW_NOT_WHAT)
    return manifest.checked_manifest(
        {
            "name": config.title,
            "pairmill_version": importlib.metadata.version("pairmill"),
            "licence": config.licence,
            "config": privacy.publishable(settings),
            "fingerprint": mine_fingerprint(config),
            "seeds": {"run": config.seed, "splits": config.assemble.seed},
            "versions": package_versions(),
            "sources": list(_sources(config, mined)),
            "models": judge_models(config),
            "prompts": judge_prompts(config, tables.queries["query_language"].unique().to_pylist()),
            "encoder": _encoder(config, space),
            "splits": config.assemble.splits,
            "stages": counted,
            "cells": _cells(mined, tables.negatives["query_id"].combine_chunks()),
            "mining": mining_record(
                config.mining, config.index, tables.negatives, documents, config.judge
            ),
            "relabel": None,
            "judge": judge_of(config, mined.judged, stages),
            "facts": _facts(config, mined, stages, tables),
            "files": manifest.file_records(staging),
        }
    )


def _sources(config: MineConfig, mined: Mined) -> Iterator[records.SourceRecord]:
    counts = {"pairs": mined.pairs.counts.rows_in}
    sources: dict[str, TableSource] = {"pairs": config.pairs}
    if config.corpus is not None:
        counts["corpus"] = sum(shard.counts.rows_in for shard in mined.corpus)
        sources["corpus"] = config.corpus
    for name, source in sources.items():
        yield records.SourceRecord(
            name=name,
            reader="given",
            content=fingerprint(source.content_identity()),
            documents=counts[name],
            licence=getattr(source, "licence", "unknown"),
            attribution=getattr(source, "attribution", "unknown"),
        )


def _encoder(config: MineConfig, space: Workspace) -> records.EncoderRecord:
    given = config.vectors
    if given is not None:
        return records.EncoderRecord(
            name=given.name,
            revision=given_revision(given),
            dimensions=given_dimension(space, given),
        )
    encoder = held(config.encoder)
    return records.EncoderRecord(
        name=encoder_name(encoder), revision=encoder.revision(), dimensions=encoder.dimension
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


def _facts(
    config: MineConfig, mined: Mined, stages: Sequence[StageOutcome], tables: FinalTables
) -> list[records.Fact]:
    """Return what a user must know beyond the counts."""
    facts = []
    if config.description:
        facts.append(records.Fact(kind="note", stage="pairs", text=config.description))
    told = {
        "truncated": "documents were cut at the encoder's longest input",
        "zeros": "documents have a vector of length 0 and are never found",
    }
    for shard in mined.embedded:
        for name, text in told.items():
            if shard.facts.get(name):
                told_text = f"{shard.facts[name]} {text}."
                facts.append(records.Fact(kind="fallback", stage="embed", text=told_text))
    extra = mined.pairs.counts.extra
    notes = {
        "pairs_merged": "pairs have the query of an earlier pair and were merged with it",
        "ids_merged": "query ids were given up, because their query has another id, too",
        "positives_added": "positives were not in the corpus and were added to it",
        "positive_ids_not_found": "ids of positives, beside others of their query, are not in the "
        "corpus",
    }
    for name, text in notes.items():
        if extra.get(name) and (name != "positives_added" or config.corpus is not None):
            facts.append(records.Fact(kind="note", stage="pairs", text=f"{extra[name]} {text}."))
    if config.vectors is None and config.vector_dtype != "float32":
        text = f"Vectors of documents are stored as {config.vector_dtype}."
        facts.append(records.Fact(kind="note", stage="embed", text=text))
    for stage in stages:
        for name in ("documents_truncated", "pairs_unreadable", UNANSWERED):
            if stage.counts.extra.get(name):
                text = f"{name}: {stage.counts.extra[name]}."
                facts.append(records.Fact(kind="fallback", stage=stage.name, text=text))
    lengths = pc.list_value_length(tables.negatives["negative_ids"])
    short = pc.sum(pc.less(lengths, config.mining.num_negatives)).as_py() or 0
    if short:
        text = f"{short} rows have fewer than {config.mining.num_negatives} negatives."
        facts.append(records.Fact(kind="fallback", stage="mine", text=text))
    return facts
