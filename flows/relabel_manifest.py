"""The manifest of a relabelled data set: the old one carried on."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_cards import manifest, privacy, records
from data_cards.manifest import DataSetManifest
from flows.decontamination import decontamination_record, identity_of_sets, joined_records
from flows.describe import package_versions
from flows.finished import FinalTables
from flows.judge_records import judge_facts, judge_record, judge_sampling
from flows.judging import concat, judges_identity
from flows.mining_records import dropped_by_reason
from flows.outcome import StageOutcome
from flows.prompt_fallbacks import fallback_facts, judging_fallbacks
from flows.prompt_records import prompt_hashes, prompt_records
from flows.relabel_config import ExistingRowsConfig
from flows.relabel_records import relabel_record
from flows.resources import held
from flows.stage_facts import facts_of_counts
from flows.stage_shards import CODE_VERSIONS
from sdg.ids import fingerprint
from sdg.judge.policy import LEFT
from sdg.schemas import QUERIES
from sdg.shards import Counts, Shard

_SPEED = {"rows_per_shard", "runner"}


class Existing(NamedTuple):
    """The data set that is relabelled, and how.

    Attributes:
        directory: Where it lies.
        manifest: Its manifest.
        config: The command's configuration.
    """

    directory: Path
    manifest: DataSetManifest
    config: ExistingRowsConfig


class FinishedRows(NamedTuple):
    """The shards that publishing reads.

    Attributes:
        given: Tables "kept" (QUERIES) and "grades" as they were read.
        last: Tables "kept" (NEGATIVES) and "positives" after the last stage.
        rejecting: Every shard with a table "rejected", in the order of the flow.
        judged: judge; tables "grades".
        agreement: The second opinion, if one was asked for.
        documents: The corpus.
    """

    given: Sequence[Shard]
    last: Sequence[Shard]
    rejecting: Sequence[Shard]
    judged: Sequence[Shard]
    agreement: Shard | None
    documents: Sequence[Shard]


def relabel_fingerprint(existing: Existing) -> str:
    """Return the fingerprint of everything that decides the published rows."""
    config = existing.config
    settings = config.model_dump(mode="json", exclude=_SPEED | {"generators", "decontaminate"})
    names = (config.relabel.engine,) if config.relabel.enabled else ()
    engines = {name: held(config.generators[name]) for name in names}
    return fingerprint(
        {
            "source": existing.manifest.fingerprint,
            "files": {name: file.sha256 for name, file in existing.manifest.files.items()},
            "settings": settings,
            "pairmill": importlib.metadata.version("pairmill"),
            "code": CODE_VERSIONS,
            "prompts": prompt_hashes(),
            "relabel": {name: [e.identity(), e.revision()] for name, e in engines.items()},
            "judge": judges_identity(config.judge, config.generators, []),
            "decontaminate": identity_of_sets(config.decontaminate),
        }
    )


def describe_relabelled(
    existing: Existing,
    staging: Path,
    finished: FinishedRows,
    parts: tuple[Sequence[StageOutcome], Mapping[str, str], FinalTables, pa.Table],
) -> DataSetManifest:
    """Return the manifest of the relabelled data set; laws that do not hold are errors.

    Args:
        existing: What was relabelled, and how.
        staging: Holds the written files.
        finished: The shards of the run.
        parts: Its stages; their names in the new manifest; the rows that survived; REJECTIONS of
            this run, under those names.
    """
    stages, names, tables, rejected = parts
    source, config = existing.manifest, existing.config
    unit = source.stages[-1].unit if source.stages else "rows"
    rows = tables.negatives.num_rows
    counted = [records.stage_record(names[s.name], unit, s.counts) for s in stages]
    counted.append(records.stage_record(names["assemble"], unit, Counts(rows, rows)))
    extra = {s.name: s.counts.extra for s in stages}
    fields = {name: getattr(source, name) for name in DataSetManifest.model_fields}
    opinion = finished.agreement
    judge = judge_record(
        config.judge, extra.get("judge", {}), None if opinion is None else opinion.facts
    )
    return manifest.checked_manifest(
        {
            **fields,
            "pairmill_version": importlib.metadata.version("pairmill"),
            "card": config.card or source.card.of_another_version(),
            "config": {
                "source": {"fingerprint": source.fingerprint, "config": source.config},
                "relabel": privacy.publishable(config.model_dump(mode="json", exclude=_SPEED)),
            },
            "fingerprint": relabel_fingerprint(existing),
            "seeds": {**source.seeds, "relabel": config.seed},
            "versions": _versions(source.versions),
            "models": _models(existing),
            "prompts": _prompts(existing, finished),
            "stages": (*source.stages, *counted),
            "cells": _cells(source, finished, rejected),
            "mining": _mining(existing, tables),
            "relabel": relabel_record(config.relabel, extra.get("relabel", {})) or source.relabel,
            "judge": judge or source.judge,
            "decontamination": joined_records(
                source.decontamination, decontamination_record(config.decontaminate, stages)
            ),
            "facts": (
                *source.facts,
                *_judging_facts(existing, finished, names),
                *facts_of_counts(stages, names, also=["rows_short"]),
            ),
            "files": manifest.file_records(staging),
        }
    )


def _versions(old: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that built the data set, and those now where they differ."""
    now = package_versions()
    return {**old, **{f"{k} (relabel)": v for k, v in now.items() if old.get(k) != v}}


def _models(existing: Existing) -> list[records.ModelRecord]:
    config = existing.config
    uses = [("relabel", config.relabel.engine)] if config.relabel.enabled else []
    uses += [("judge", name) for name in config.judge.engines]
    found = list(existing.manifest.models)
    for role, name in uses:
        engine = held(config.generators[name])
        found.append(
            records.ModelRecord(
                role=role,
                name=name,
                revision=engine.revision(),
                engine=engine.name,
                sampling=judge_sampling(config.judge, name) if role == "judge" else {},
                licence=getattr(engine, "licence", "") or "unknown",
            )
        )
    return list({(m.role, m.name, m.revision): m for m in found}.values())


def _prompts(existing: Existing, finished: FinishedRows) -> list[records.PromptRecord]:
    config = existing.config
    languages = sorted(set(concat(finished.given, "kept", QUERIES)["query_language"].to_pylist()))
    names: set[str] = set()
    for language in languages:
        for judge in config.judge.everyone:
            names.update(judge.prompt_sha256(language))
        for scorer in config.relabel.scorers if config.relabel.enabled else ():
            names.add(scorer.prompt_name(language))
    found = [*existing.manifest.prompts, *prompt_records(names)]
    return sorted({(p.path, p.sha256): p for p in found}.values(), key=lambda p: (p.path, p.sha256))


def _cells(
    source: DataSetManifest, finished: FinishedRows, rejected: pa.Table
) -> list[records.Cell]:
    """Return the old cells with the rows that stopped now moved from kept to rejected."""
    queries = pl.DataFrame(concat(finished.given, "kept", QUERIES))
    stopped = pl.DataFrame(rejected).join(queries, left_on="row_id", right_on="query_id")
    columns = ["task", "document_language", "query_language", "generator"]
    counts = Counter(tuple(row) for row in stopped.select(*columns, "reason").iter_rows())
    cells = []
    for cell in source.cells:
        key = manifest.cell_key(cell)
        reasons = Counter(cell.rejected)
        lost = {reason: n for (*own, reason), n in counts.items() if tuple(own) == key}
        reasons.update(lost)
        cells.append(
            cell.model_copy(
                update={"kept": cell.kept - sum(lost.values()), "rejected": dict(reasons)}
            )
        )
    return cells


def _mining(existing: Existing, tables: FinalTables) -> records.MiningRecord:
    """Return the old record with the negatives that left finished rows counted as drops."""
    old = existing.manifest.mining
    by_reason = dropped_by_reason(tables.negatives)
    rules = {rule.reason: rule for rule in old.rules}
    for reason in LEFT:
        before = rules.get(reason)
        total = by_reason.get(reason, 0) + (0 if before is None else before.dropped)
        if total or before is not None:
            rules[reason] = records.RuleRecord(
                rule="judge", reason=reason, settings={}, dropped=total
            )
    selected = pc.sum(pc.list_value_length(tables.negatives["negative_ids"])).as_py()
    dropped = sum(rule.dropped for rule in rules.values())
    return old.model_copy(
        update={
            "rules": tuple(rules.values()),
            "selected": selected,
            # Of rows that stopped, what mining had selected is needed no more.
            "not_needed": old.candidates - selected - dropped,
        }
    )


def _judging_facts(
    existing: Existing, finished: FinishedRows, names: Mapping[str, str]
) -> list[records.Fact]:
    config = existing.config
    languages = concat(finished.given, "kept", QUERIES)["query_language"].to_pylist()
    scorers = config.relabel.scorers if config.relabel.enabled else ()
    facts = fallback_facts(judging_fallbacks(scorers, config.judge.everyone, languages))
    facts += judge_facts(config.judge)
    return [fact.model_copy(update={"stage": names[fact.stage]}) for fact in facts]
