"""`pairmill relabel DIR`: an existing data set, judged and relabelled into a new directory."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from prefect import flow

from data_cards import layout
from data_cards.manifest import DataSetManifest
from flows import corpus_stages, published, resources, stage_shards, tasks
from flows.decontamination import QUERY_STAGE
from flows.figures import cost_figures
from flows.judging import Judging, Rows
from flows.outcome import RunOutcome
from flows.relabel_config import ExistingRowsConfig
from flows.relabel_manifest import Existing, FinishedRows
from flows.relabel_publish import current_relabelled, figures_of_relabelled, publish_relabelled
from flows.result_directory import opened
from flows.run import Run
from flows.runners import task_runner
from flows.settings import parse_settings, read_settings
from flows.workspace import Workspace
from sdg.decontaminate import NGRAM_WORDS
from sdg.errors import ConfigError
from sdg.judge.negatives import Wanted
from sdg.llm.ledger import cost_of
from sdg.shards import Counts, Outcome, Shard, finish


class _Read(NamedTuple):
    """The data set as shards."""

    rows: list[Rows]
    documents: list[Shard]


def relabel_data_set(
    directory: Path, config_path: Path | None, out: Path | None, overrides: Sequence[str] = ()
) -> RunOutcome:
    """Judge and relabel the data set in `directory` into another one; see `relabel_existing_rows`.

    Args:
        directory: A finished data set; it is only read.
        config_path: YAML of ExistingRowsConfig, or None if `overrides` say everything.
        out: Where the result goes; None: beside `directory`, with `-relabelled` after its name.
        overrides: As for `pairmill build`.

    Raises:
        ConfigError: If the configuration cannot work, or `out` holds something else.
        DataError: If `directory` is no whole data set, or no row is left.
        BackendError: If a model or server fails for good; finished work is kept.
    """
    name = "--set" if config_path is None else str(config_path)
    config = parse_settings(read_settings(config_path, overrides), name, ExistingRowsConfig)
    target = out or directory.with_name(f"{directory.resolve().name}-relabelled")
    manifest = published.open_published(directory)
    _check_target(directory, target)
    with opened(target, "relabel"), resources.released_at_end():
        existing = Existing(directory, manifest, _settled(config, manifest))
        current = current_relabelled(existing, target)
        if current is not None:
            return current
        runner = task_runner(config.runner)
        return relabel_existing_rows.with_options(task_runner=runner)(existing, Workspace(target))


def decontaminate_data_set(
    directory: Path, against: Sequence[str], out: Path | None, ngram_words: int = NGRAM_WORDS
) -> RunOutcome:
    """Write a copy of the data set in `directory` without what evaluation sets hold.

    Args:
        directory: A finished data set; it is only read.
        against: Paths as in `EvaluationSource.path`.
        out: Where the result goes; None: beside `directory`, with `-decontaminated` after its name.
        ngram_words: Words in a row that must be equal; more for a corpus full of set phrases.

    Raises:
        ConfigError: If `out` holds something else, or two sets have the same name.
        DataError: If `directory` is no whole data set, a set cannot be read, or no row is left.
    """
    sets = json.dumps([{"path": path} for path in against])
    target = out or directory.with_name(f"{directory.resolve().name}-decontaminated")
    settings = [f"decontaminate.against={sets}", f"decontaminate.ngram_words={ngram_words}"]
    return relabel_data_set(directory, None, target, settings)


@flow(name="pairmill-relabel", persist_result=False, validate_parameters=False)
def relabel_existing_rows(existing: Existing, space: Workspace) -> RunOutcome:
    """Run read -> decontaminate -> relabel -> judge -> publish; what is finished is found."""
    run, start = Run(), time.monotonic()
    config = existing.config
    read = _read(existing, space)
    rows, rejecting = read.rows, list[Shard]()
    if config.decontaminate.against:
        found = run.once(tasks.find_contaminated, space, config.decontaminate, read.documents)
        checks = [(space, config.decontaminate, r, found) for r in rows]
        clean = run.stage(QUERY_STAGE, "rows", tasks.decontaminate_rows, checks)
        rejecting += clean
        rows = [r._replace(positives=c, negatives=c) for r, c in zip(rows, clean, strict=True)]
    if config.relabel.enabled:
        calls = [(space, config, r, read.documents) for r in rows]
        changed = run.stage("relabel", "rows", tasks.relabel_existing, calls)
        rejecting += changed
        rows = [r._replace(positives=c, negatives=c) for r, c in zip(rows, changed, strict=True)]
    opinion = None
    judged: list[Shard] = []
    if config.judge.enabled:
        judging = judging_of_existing(config)
        asked = [(space, judging, r, read.documents) for r in rows]
        judged = run.stage("judge", "rows", tasks.judge, asked)
        opinion = run.once(tasks.second_opinion, space, judging, rows, judged, read.documents)
        rejecting += judged
    finished = FinishedRows(
        given=[r.queries for r in read.rows],
        last=judged or [r.negatives for r in rows],
        rejecting=rejecting,
        judged=judged,
        agreement=opinion,
        documents=read.documents,
    )
    manifest = publish_relabelled(existing, space.directory, finished, run.stages)
    figures = figures_of_relabelled(manifest, resources.usage(space.journal), start)
    cost = cost_of(resources.spent(space.journal, run.scopes), config.generators)
    figures |= cost_figures(cost, manifest.rows)
    return RunOutcome(space.directory, tuple(run.stages), figures)


def judging_of_existing(config: ExistingRowsConfig) -> Judging:
    """Return what judging needs of the command's configuration."""
    wanted = Wanted(config.num_negatives or 1, drop_short=config.on_shortfall == "drop")
    return Judging(config.judge, wanted, config.generators, config.seed)


def _settled(config: ExistingRowsConfig, manifest: DataSetManifest) -> ExistingRowsConfig:
    """Return `config` with what the data set itself says: how many negatives a row has."""
    count = config.num_negatives or manifest.mining.num_negatives
    judge = config.judge.model_copy(update={"pool": manifest.mining.num_negatives})
    return config.model_copy(update={"num_negatives": count, "judge": judge})


def _check_target(directory: Path, target: Path) -> None:
    source, ours = directory.resolve(), target.resolve()
    if source == ours or source in ours.parents or ours in source.parents:
        raise ConfigError(
            f"`--out` must be apart from the data set that is read, but is {target} for "
            f"{directory}. Give another directory: the old one is not changed."
        )


def _read(existing: Existing, space: Workspace) -> _Read:
    """Return the data set as shards of rows and documents, copied once."""
    directory, files = existing.directory, existing.manifest.files
    documents = [
        finish(
            space.shared("documents", path.stem),
            stage_shards.identity_of(
                "documents", sha256=files[f"{layout.CORPUS}/{path.name}"].sha256
            ),
            lambda path=path: Outcome(  # type: ignore[misc]
                {"kept": published.read_documents(path)}, Counts()
            ),
        )
        for path in layout.parquet_files(directory, layout.CORPUS)
    ]
    table = published.read_rows(directory)
    size = existing.config.rows_per_shard
    rows = [
        _shards_of(existing, space, documents, number, table.slice(number * size, size))
        for number in range(-(-table.num_rows // size))
    ]
    return _Read(rows, documents)


def _shards_of(
    existing: Existing,
    space: Workspace,
    documents: Sequence[Shard],
    number: int,
    part: pa.Table,
) -> Rows:
    size = existing.config.rows_per_shard
    name = f"{number:05d}"
    data = {k: f.sha256 for k, f in existing.manifest.files.items() if k.startswith(layout.DATA)}
    inputs = stage_shards.identity_of(
        "rows", data=data, start=number * size, size=size, documents=[d.digest for d in documents]
    )
    found: list[published.StageTables] = []

    def tables() -> published.StageTables:
        if not found:
            found.append(published.stage_tables(part, corpus_stages.corpus_of(documents)))
        return found[0]

    def queries() -> Outcome:
        kept = {
            "kept": tables().queries,
            "positives": tables().positives,
            "grades": tables().grades,
        }
        return Outcome(kept, Counts())

    asked = finish(space.shard("queries", name), {**inputs, "part": "queries"}, queries)
    mined = finish(
        space.shard("negatives", name),
        {**inputs, "part": "negatives"},
        lambda: Outcome({"kept": tables().negatives}, Counts()),
    )
    return Rows(asked, asked, asked, mined)
