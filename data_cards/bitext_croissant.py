"""Manifest of translation pairs -> croissant.json; a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data_cards.bitext_manifest import BitextManifest
from data_cards.croissant import files_and_fields, identity, to_text
from data_cards.responsible_ai import NOBODY_ASSESSED, NOBODY_PROMISED, PERSONAL_DATA, told_stage
from data_cards.tables import PublishedTable


def render_bitext_croissant(manifest: BitextManifest, tables: Mapping[str, PublishedTable]) -> str:
    """Return croissant.json; equal manifests give equal text.

    Args:
        manifest: Of the pairs.
        tables: Folder -> what its files are.
    """
    tags = {tag for entry in manifest.languages for tag in (entry.source, entry.target)}
    description = (
        f"{manifest.pairs:,} pairs of sentences that were mined as translations of each other. "
        f"Built by Pairmill {manifest.pairmill_version}; README.md is the data card."
    )
    document = {
        **identity(manifest.name, manifest.licence, manifest.card),
        "description": description,
        "inLanguage": sorted({tag.split("-")[0] for tag in tags} - {"und"}),
        "keywords": ["translation pairs", "bitext mining"],
        **files_and_fields(manifest.files, tables),
        **_responsible_ai(manifest),
    }
    return to_text(document)


def _responsible_ai(manifest: BitextManifest) -> dict[str, Any]:
    card, encoder = manifest.card, manifest.encoder
    sources = "; ".join(
        f"{s.name}: {s.documents:,} sentences, licence {s.licence}, attribution {s.attribution}"
        for s in manifest.sources
    )
    pairs = ", ".join(f"{e.source} to {e.target} {e.pairs:,}" for e in manifest.languages)
    return {
        "rai:dataCollection": f"Sources: {sources}.",
        "rai:dataCollectionType": ["Secondary Data analysis"],
        "rai:dataPreprocessingProtocol": [told_stage(stage) for stage in manifest.stages],
        "rai:dataManipulationProtocol": "Sentences were paired by the margin of their vectors over "
        f"their neighbours; encoder {encoder.name}, revision {encoder.revision}, index "
        f"{manifest.index}.",
        "rai:dataAnnotationProtocol": ["No row was annotated, by people or by a model."],
        "rai:machineAnnotationTools": [
            f"mining: encoder {encoder.name}, revision {encoder.revision}"
        ],
        "rai:dataBiases": [f"Pairs by languages: {pairs}.", *card.biases],
        "rai:dataLimitations": [
            "Nobody read the pairs; some are no translations of each other.",
            *(f"{fact.stage}: {fact.text}" for fact in manifest.facts if fact.kind != "note"),
        ],
        "rai:dataUseCases": [
            *(f"For: {use}." for use in card.intended_use),
            *(f"Not for: {use}." for use in card.not_for),
        ],
        "rai:personalSensitiveInformation": [PERSONAL_DATA, *card.personal_information],
        "rai:dataSocialImpact": card.social_impact or NOBODY_ASSESSED,
        "rai:dataReleaseMaintenancePlan": card.maintenance or NOBODY_PROMISED,
    }
