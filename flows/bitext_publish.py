"""Mined translation pairs on disk: data, rejections, card and manifest, the manifest last."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_cards import layout, manifest, privacy, records
from data_cards.bitext_card import render_bitext_card
from data_cards.bitext_croissant import render_bitext_croissant
from data_cards.bitext_manifest import (
    BitextManifest,
    checked_bitext_manifest,
    load_bitext_manifest,
)
from data_cards.tables import PublishedTable
from flows.bitext_config import SIDES, BitextRunConfig, Side
from flows.bitext_rows import (
    NOT_TAKEN,
    PAIRS,
    Fates,
    Sentences,
    fates_of,
    languages_of,
    not_taken_tables,
    pair_tables,
)
from flows.bitext_stages import side_space
from flows.describe import package_versions
from flows.given_vectors import given_dimension, vectors_identity
from flows.mining_records import encoder_name
from flows.outcome import RunOutcome, StageOutcome, outcomes_of
from flows.publish import move_in
from flows.resources import held
from flows.result_directory import whole_manifest, write_numbered
from flows.stage_facts import facts_of_counts
from flows.stage_shards import CODE_VERSIONS
from flows.workspace import Workspace
from sdg import store
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.shards import Shard

_TABLES = {
    layout.DATA: PublishedTable(PAIRS, "One pair of sentences, the best margins first."),
    layout.REJECTED: PublishedTable(NOT_TAKEN, "Every sentence and pair that was not taken."),
}
_EMBED = {
    "truncated": "sentences were cut at the encoder's longest input",
    "zeros": "sentences have a vector of length 0: they score 0 with every other",
}


class MinedBitext(NamedTuple):
    """The finished shards that publishing reads.

    Attributes:
        documents: Sentences of each side.
        embedded: embed of each side.
        pairs: Rows of pairs.
    """

    documents: Mapping[Side, Sequence[Shard]]
    embedded: Mapping[Side, Shard]
    pairs: Shard


def bitext_fingerprint(config: BitextRunConfig) -> str:
    """Return the fingerprint of everything that decides the published rows."""
    settings = config.model_dump(mode="json", exclude={"runner"})
    for side in SIDES:
        # Where the files lie decides nothing; what is in them is below.
        settings[side].pop("path")
        (settings["vectors"] or {}).pop(side, None)
    return fingerprint(
        {
            "settings": settings,
            "pairmill": importlib.metadata.version("pairmill"),
            "code": CODE_VERSIONS,
            "sides": [config.source.content_identity(), config.target.content_identity()],
            "vectors": [vectors_identity(config.side(side)) for side in SIDES],
        }
    )


def current_bitext(config: BitextRunConfig, directory: Path) -> RunOutcome | None:
    """Return the outcome of a whole directory that is what `config` asks for, or None."""
    found = whole_manifest(directory, load_bitext_manifest, lambda: bitext_fingerprint(config))
    if found is None:
        return None
    stages = outcomes_of(found.stages)
    return RunOutcome(directory, stages, figures_of_bitext(found), was_current=True)


def figures_of_bitext(found: BitextManifest) -> dict[str, Any]:
    """Return the figures of finished pairs that their manifest knows."""
    by_language = {f"{e.source} to {e.target}": e.pairs for e in found.languages}
    return {"pairs": found.pairs, "pairs by language": by_language}


def publish_bitext(
    config: BitextRunConfig,
    space: Workspace,
    mined: MinedBitext,
    stages: list[StageOutcome],
) -> BitextManifest:
    """Write everything; `stages` gains one of sentences for each side.

    Raises:
        DataError: If no pair is left.
    """
    kept = mined.pairs.table("kept")
    if not kept.num_rows:
        raise DataError(_nothing_left(config, mined.pairs))
    sides = {side: Sentences.of(mined.documents[side]) for side in SIDES}
    fates = {side: fates_of(side, len(sides[side].ids), mined.pairs) for side in SIDES}
    for side in SIDES:
        counts = fates[side].counts
        stages.append(StageOutcome(f"{side}_pairs", f"{side} sentences", counts, 0.0, 0, 0))
    staging = space.work / "publish"
    shutil.rmtree(staging, ignore_errors=True)
    _write(staging, mined, sides, fates)
    languages = languages_of(kept, sides)
    described = _describe(config, space, staging, mined, stages, languages)
    move_in(staging, space.directory)
    store.write_text(space.directory / layout.CARD, render_bitext_card(described))
    croissant = render_bitext_croissant(described, _TABLES)
    store.write_text(space.directory / layout.CROISSANT, croissant)
    store.write_json(space.directory / layout.MANIFEST, described.to_json())
    return described


def _nothing_left(config: BitextRunConfig, pairs: Shard) -> str:
    rejected = pairs.table("rejected", ["margin"])
    best = f"{rejected['margin'][0].as_py():.4f}" if rejected.num_rows else "none"
    return (
        f"At least one pair must have a margin of {config.bitext.lowest()} or more, but none has "
        f"instead: the retrieval gives {pairs.counts.rows_in} pairs, the highest margin is {best}. "
        "Lower `bitext.threshold`, or check that both sides were embedded by one model that knows "
        "both languages."
    )


def _write(
    staging: Path,
    mined: MinedBitext,
    sides: Mapping[Side, Sentences],
    fates: Mapping[Side, Fates],
) -> None:
    kept = pair_tables(mined.pairs.table("kept"), sides)
    unpaired = {side: fates[side].unpaired for side in SIDES}
    not_taken = not_taken_tables(mined.pairs, sides, unpaired, mined.documents)
    for folder, name, tables in (
        (layout.DATA, "train", kept),
        (layout.REJECTED, layout.REJECTED, not_taken),
    ):
        write_numbered(staging / folder, name, tables)


def _describe(
    config: BitextRunConfig,
    space: Workspace,
    staging: Path,
    mined: MinedBitext,
    stages: Sequence[StageOutcome],
    languages: Sequence[tuple[str, str, int]],
) -> BitextManifest:
    counted = [records.stage_record(s.name, s.unit, s.counts) for s in stages if s.name != "embed"]
    return checked_bitext_manifest(
        {
            "name": config.title,
            "pairmill_version": importlib.metadata.version("pairmill"),
            "licence": config.licence,
            "card": config.card,
            "config": privacy.publishable(config.model_dump(mode="json", exclude={"runner"})),
            "fingerprint": bitext_fingerprint(config),
            "versions": package_versions(),
            "sources": [_source(config, side, mined.documents[side]) for side in SIDES],
            "encoder": _encoder(config, space),
            "index": held(config.index).describe(),
            "stages": counted,
            "languages": [
                {"source": source, "target": target, "pairs": count}
                for source, target, count in languages
            ],
            "facts": [*_facts(config, mined), *facts_of_counts(stages)],
            "files": manifest.file_records(staging),
        }
    )


def _source(
    config: BitextRunConfig, side: Side, documents: Sequence[Shard]
) -> records.SourceRecord:
    source = config.source if side == "source" else config.target
    return records.SourceRecord(
        name=side,
        reader="given",
        content=fingerprint(source.content_identity()),
        documents=sum(shard.counts.rows_in for shard in documents),
        licence=source.licence,
        attribution=source.attribution,
    )


def _encoder(config: BitextRunConfig, space: Workspace) -> records.EncoderRecord:
    if config.vectors is not None:
        identities = [vectors_identity(config.side(side))["documents"] for side in SIDES]
        return records.EncoderRecord(
            name=config.vectors.name,
            revision=config.vectors.revision or fingerprint(identities),
            dimensions=given_dimension(side_space(space, "source"), config.vectors.of("source")),
        )
    encoder = held(config.encoder)
    return records.EncoderRecord(
        name=encoder_name(encoder), revision=encoder.revision(), dimensions=encoder.dimension
    )


def _facts(config: BitextRunConfig, mined: MinedBitext) -> Iterator[records.Fact]:
    if config.description:
        yield records.Fact(kind="note", stage="pairs", text=config.description)
    for side in SIDES:
        for name, text in _EMBED.items():
            count = mined.embedded[side].facts.get(name)
            if count:
                yield records.Fact(kind="fallback", stage=side, text=f"{count} {text}.")
    if config.vectors is None and config.vector_dtype != "float32":
        text = f"Vectors are stored as {config.vector_dtype}."
        yield records.Fact(kind="note", stage="embed", text=text)
