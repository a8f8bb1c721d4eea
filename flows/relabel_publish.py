"""A relabelled data set as a directory: the old manifest carried on, rows written as in a build."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

import prompts
from data_cards import layout, manifest, privacy, records
from data_cards.manifest import DataSetManifest
from flows import published
from flows.judging import concat, judge_record, judge_sampling, judges_identity
from flows.outcome import RunOutcome, StageOutcome
from flows.publish import FinalTables, finish_directory, package_versions, write_rows
from flows.relabel_config import ExistingRowsConfig
from flows.resources import held
from flows.stages import CODE_VERSIONS, corpus_of
from sdg import assemble
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.judge.policy import LEFT
from sdg.llm.usage import Usage
from sdg.schemas import GRADES, NEGATIVES, POSITIVES, QUERIES, REJECTIONS
from sdg.shards import UNANSWERED, Counts, Shard

_SPEED = {"rows_per_shard", "runner"}
_TOLD = ("scores_failed", "documents_truncated", "pairs_unreadable", "rows_short", UNANSWERED)


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
    settings = config.model_dump(mode="json", exclude=_SPEED | {"generators"})
    names = (config.relabel.engine,) if config.relabel.enabled else ()
    engines = {name: held(config.generators[name]) for name in names}
    return fingerprint(
        {
            "source": existing.manifest.fingerprint,
            "files": {name: file.sha256 for name, file in existing.manifest.files.items()},
            "settings": settings,
            "pairmill": importlib.metadata.version("pairmill"),
            "code": CODE_VERSIONS,
            "prompts": {
                f"{task}/{language}": prompts.load(task, language).sha256
                for task in prompts.tasks()
                for language in prompts.languages(task)
            },
            "relabel": {name: [e.identity(), e.revision()] for name, e in engines.items()},
            "judge": judges_identity(config.judge, config.generators, []),
        }
    )


def current_relabelled(existing: Existing, target: Path) -> RunOutcome | None:
    """Return the outcome of a directory that already is what is asked for, or None."""
    if not (target / layout.MANIFEST).is_file() or not (target / layout.CARD).is_file():
        return None
    try:
        found = manifest.load_manifest(target)
        files = manifest.file_records(target)
    except DataError:
        return None
    is_open = any(stage.extra.get(UNANSWERED) for stage in found.stages)
    if is_open or files != found.files or found.fingerprint != relabel_fingerprint(existing):
        return None
    stages = tuple(
        StageOutcome(s.name, s.unit, Counts(s.rows_in, s.kept, s.rejected, s.extra), 0.0, 0, 0)
        for s in found.stages[len(existing.manifest.stages) :]
    )
    figures = {"rows": found.rows, "LLM requests sent": 0}
    return RunOutcome(target, stages, figures, was_current=True)


def publish_relabelled(
    existing: Existing, target: Path, finished: FinishedRows, stages: Sequence[StageOutcome]
) -> DataSetManifest:
    """Write the relabelled data set and check every promise on its files.

    Splits are drawn again with the old seed: a row changes its split only where a new positive
    joins two groups of documents.

    Raises:
        DataError: If no row is left.
        ContractError: If the finished directory breaks a promise.
    """
    staging = target / layout.WORK / "publish"
    shutil.rmtree(staging, ignore_errors=True)
    names = _fresh_names(existing.manifest, [stage.name for stage in stages])
    new = _renamed(concat(finished.rejecting, "rejected", REJECTIONS), names)
    tables = _final_tables(existing, finished, new)
    source = existing.manifest
    config = assemble.AssembleConfig(splits=source.splits, seed=source.seeds.get("splits", 0))
    write_rows(config, staging, corpus_of(finished.documents), tables)
    described = _describe(existing, staging, finished, (stages, names, tables, new))
    finish_directory(staging, target, described)
    return described


def figures_of_relabelled(described: DataSetManifest, usage: Usage, start: float) -> dict[str, Any]:
    """Return what a run made and what it cost."""
    record = described.judge
    return {
        "rows": described.rows,
        "negatives": described.mining.selected,
        "queries with a flagged negative": 0 if record is None else record.queries_flagged,
        "negatives flagged": 0 if record is None else record.pairs_flagged,
        "positives changed": 0 if described.relabel is None else described.relabel.changed,
        "LLM requests sent": usage.sent,
        "LLM requests answered from the journal": usage.from_journal,
        "seconds": round(time.monotonic() - start, 1),
    }


def _fresh_names(source: DataSetManifest, names: Sequence[str]) -> dict[str, str]:
    """Return each stage's name in the new manifest: one that the old manifest does not have."""
    taken = {stage.name for stage in source.stages}
    fresh = {}
    for name in (*names, "assemble"):
        number, own = 1, name
        while own in taken:
            number += 1
            own = f"{name}_{number}"
        fresh[name] = own
    return fresh


def _renamed(rejections: pa.Table, names: Mapping[str, str]) -> pa.Table:
    column = pl.Series(rejections["stage"], dtype=pl.String).replace(dict(names))
    at = rejections.schema.get_field_index("stage")
    return rejections.set_column(at, "stage", column.to_arrow().cast(pa.string()))


def _final_tables(existing: Existing, finished: FinishedRows, new: pa.Table) -> FinalTables:
    negatives = concat(finished.last, "kept", NEGATIVES)
    if not negatives.num_rows:
        raise DataError(
            "A data set must keep at least one row, but none is left instead. The table "
            "`rejected` of each stage in .work says why; relax the judge or the policy."
        )
    ids = negatives["query_id"].combine_chunks()
    queries, positives = (
        table.filter(pc.is_in(table["query_id"], value_set=ids))
        for table in (
            concat(finished.given, "kept", QUERIES),
            concat(_with_positives(finished), "positives", POSITIVES),
        )
    )
    old = published.read_rejections(existing.directory)
    rejections = pa.concat_tables([old, new]).combine_chunks()
    return FinalTables(queries, positives, negatives, rejections, _grades(finished))


def _with_positives(finished: FinishedRows) -> Sequence[Shard]:
    has_own = all((shard.folder / "positives.parquet").is_file() for shard in finished.last)
    return finished.last if has_own else finished.given


def _grades(finished: FinishedRows) -> pa.Table:
    """Return the new grade of every pair, and the old one where no judge gave a new one."""
    new = pl.DataFrame(concat(finished.judged, "grades", GRADES))
    old = pl.DataFrame(concat(finished.given, "grades", GRADES))
    kept = old.join(new, on=["query_id", "doc_id"], how="anti", maintain_order="left")
    return pl.concat([new, kept]).to_arrow().cast(GRADES)


def _describe(
    existing: Existing,
    staging: Path,
    finished: FinishedRows,
    parts: tuple[Sequence[StageOutcome], Mapping[str, str], FinalTables, pa.Table],
) -> DataSetManifest:
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
            "relabel": _relabel(config, extra) or source.relabel,
            "judge": judge or source.judge,
            "facts": (*source.facts, *_facts(stages, names)),
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
            names.add(f"{scorer.name}/{scorer.language_for(language)}")
    found = list(existing.manifest.prompts)
    for name in sorted(names):
        task, _, language = name.partition("/")
        prompt = prompts.load(task, language)
        found.append(
            records.PromptRecord(
                path=f"{name}.md",
                language=language,
                sha256=prompt.sha256,
                written_by=prompt.written_by,
                reviewed_by=prompt.reviewed_by,
            )
        )
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
    left = (
        pl.DataFrame(tables.negatives.select(["dropped"]))
        .explode("dropped")
        .drop_nulls()
        .unnest("dropped")
        .group_by("reason")
        .agg(pl.col("count").sum())
    )
    by_reason = dict(left.iter_rows())
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


def _relabel(
    config: ExistingRowsConfig, extra: Mapping[str, Mapping[str, int]]
) -> records.RelabelRecord | None:
    if not config.relabel.enabled:
        return None
    own = extra["relabel"]
    return records.RelabelRecord(
        scorers=tuple(scorer.name for scorer in config.relabel.scorers),
        candidates_per_query=config.relabel.num_candidates,
        judged=own.get("pairs_scored", 0),
        queries=own.get("queries_judged", 0),
        changed=own.get("positives_changed", 0),
    )


def _facts(stages: Sequence[StageOutcome], names: Mapping[str, str]) -> list[records.Fact]:
    return [
        records.Fact(kind="fallback", stage=names[s.name], text=f"{name}: {s.counts.extra[name]}.")
        for s in stages
        for name in _TOLD
        if s.counts.extra.get(name)
    ]
