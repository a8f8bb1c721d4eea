"""A subsampled corpus on disk: documents, what was left out, card and manifest, the latter last."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_cards import layout, manifest, privacy, records
from data_cards.subsample_card import render_subsample_card
from data_cards.subsample_croissant import render_subsample_croissant
from data_cards.subsample_manifest import (
    STAGE,
    FinderRecord,
    SubsampleManifest,
    checked_subsample_manifest,
    load_subsample_manifest,
)
from flows.describe import package_versions
from flows.given_records import given_encoder, given_sources
from flows.given_tables import attributes_of
from flows.given_vectors import vectors_identity
from flows.mine_config import MineConfig
from flows.mine_facts import facts_of_inputs
from flows.miners import miners_identity
from flows.outcome import RunOutcome, StageOutcome, outcomes_of
from flows.publish import move_in
from flows.resources import held
from flows.result_directory import whole_manifest, write_numbered
from flows.stage_facts import facts_of_counts, facts_of_miners
from flows.stage_shards import CODE_VERSIONS, OPTIONAL_CODE_VERSIONS
from flows.subsample_rows import (
    Subsampled,
    counts_of,
    fates_of,
    in_files,
    kept_tables,
    left_out_tables,
    tables_of,
)
from flows.workspace import Workspace
from sdg import store
from sdg.ids import fingerprint

# What of a mining run's settings decides which documents stay.
_SETTINGS = {"title", "licence", "description", "card", "seed", "pairs", "corpus", "vectors"}
_SETTINGS |= {"encoder", "vector_dtype", "index"}


class Limits(NamedTuple):
    """How much stays.

    Attributes:
        top_n: Nearest documents of each query, of each miner.
        max_documents: Documents of the result, at most; None for no limit.
    """

    top_n: int
    max_documents: int | None


def subsample_fingerprint(config: MineConfig, limits: Limits) -> str:
    """Return the fingerprint of everything that decides which documents stay."""
    settings = config.model_dump(mode="json", include=_SETTINGS)
    for name in ("pairs", "corpus"):
        # Where the files lie decides nothing; what is in them is below.
        settings[name].pop("path")
    for name in ("documents", "queries"):
        (settings["vectors"] or {}).pop(name, None)
    return fingerprint(
        {
            "settings": settings,
            "limits": list(limits),
            "pairmill": importlib.metadata.version("pairmill"),
            "code": {**CODE_VERSIONS, "near": OPTIONAL_CODE_VERSIONS["near"]},
            "pairs": config.pairs.content_identity(),
            "corpus": config.corpus.content_identity() if config.corpus else None,
            "vectors": vectors_identity(config),
            "index": config.index.identity(),
            "miners": miners_identity(config),
        }
    )


def current_subsample(config: MineConfig, limits: Limits, directory: Path) -> RunOutcome | None:
    """Return the outcome of a whole directory that is what is asked for, or None."""
    found = whole_manifest(
        directory, load_subsample_manifest, lambda: subsample_fingerprint(config, limits)
    )
    if found is None:
        return None
    stages, figures = outcomes_of(found.stages), figures_of_subsample(found)
    return RunOutcome(directory, stages, figures, was_current=True)


def figures_of_subsample(found: SubsampleManifest) -> dict[str, Any]:
    """Return the figures of a subsampled corpus that its manifest knows."""
    return {
        "documents": found.documents,
        "positives": found.positives,
        "found by": {finder.miner: finder.documents for finder in found.finders},
        "found by no other": {finder.miner: finder.only_here for finder in found.finders},
    }


def publish_subsample(
    config: MineConfig,
    limits: Limits,
    space: Workspace,
    done: Subsampled,
    stages: list[StageOutcome],
) -> SubsampleManifest:
    """Write everything; `stages` gains the one that counts which documents stay."""
    fates = fates_of(done)
    stages.append(StageOutcome(STAGE, "documents", counts_of(done, fates), 0.0, 0, 0))
    staging = space.work / "publish"
    shutil.rmtree(staging, ignore_errors=True)
    kept = kept_tables(done, fates, attributes_of(config))
    write_numbered(staging / layout.DATA, "train", in_files(kept))
    left_out = in_files(left_out_tables(done, fates))
    write_numbered(staging / layout.REJECTED, layout.REJECTED, left_out)
    described = _describe(config, limits, space, staging, done, stages)
    move_in(staging, space.directory)
    store.write_text(space.directory / layout.CARD, render_subsample_card(described))
    croissant = render_subsample_croissant(described, tables_of(attributes_of(config)))
    store.write_text(space.directory / layout.CROISSANT, croissant)
    store.write_json(space.directory / layout.MANIFEST, described.to_json())
    return described


def _describe(
    config: MineConfig,
    limits: Limits,
    space: Workspace,
    staging: Path,
    done: Subsampled,
    stages: Sequence[StageOutcome],
) -> SubsampleManifest:
    inputs, chosen = done.inputs, done.chosen
    settings = config.model_dump(mode="json", include={*_SETTINGS, "mining"})
    settings["mining"] = {"miners": settings["mining"]["miners"]}
    counted = [s for s in stages if s.name not in ("embed", "embed_queries", "near")]
    return checked_subsample_manifest(
        {
            "name": config.title if "title" in config.model_fields_set else "Subsampled corpus",
            "pairmill_version": importlib.metadata.version("pairmill"),
            "licence": config.licence,
            # What was not stated is what holds for a corpus, not for a data set with negatives.
            "card": config.card.model_dump(exclude_unset=True),
            "config": privacy.publishable(settings),
            "fingerprint": subsample_fingerprint(config, limits),
            "seed": config.seed,
            "versions": package_versions(),
            "sources": list(
                given_sources(
                    config,
                    inputs.pairs.counts.rows_in,
                    sum(s.counts.rows_in for s in inputs.corpus),
                )
            ),
            "encoder": given_encoder(config, space),
            "index": held(config.index).describe(),
            "top_n": limits.top_n,
            "max_documents": limits.max_documents,
            "finders": [
                FinderRecord(miner=miner, documents=count, only_here=chosen.found_only_by[miner])
                for miner, count in done.found.items()
            ],
            "positives": len(chosen.positives),
            "added": inputs.added.counts.kept,
            "stages": [records.stage_record(s.name, s.unit, s.counts) for s in counted],
            "facts": [
                *facts_of_inputs(config, inputs.pairs, inputs.embedded),
                *facts_of_miners(done.others.prepared, done.others.recall, "near", "near"),
                *facts_of_counts(stages),
            ],
            "files": manifest.file_records(staging),
        }
    )
