"""Finished stages -> the published directory; the manifest is written last."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from data_cards import (
    descriptions,
    evidence,
    layout,
    manifest,
    statistics,
    verify,
)
from flows.config import RunConfig
from flows.decontamination import (
    without_evaluation_texts,
)
from flows.describe import describe
from flows.finished import FinalTables, Finished, final_tables
from flows.outcome import StageOutcome
from flows.resources import Documents
from sdg import assemble, store
from sdg.errors import ContractError
from sdg.gates import withhold_all


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
    tables = final_tables(finished)
    wordless = without_evaluation_texts(tables.rejections, config.decontaminate)
    tables = tables._replace(rejections=withhold_all(wordless, config.gates))
    corpus = Documents([shard.folder / "kept.parquet" for shard in finished.documents])
    write_rows(config.assemble, staging, corpus, tables)
    described = describe(config, staging, finished, stages, tables)
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
