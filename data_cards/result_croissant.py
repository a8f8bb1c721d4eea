"""What croissant.json says of every result that is no data set with negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from data_cards.croissant import files_and_fields, identity, to_text
from data_cards.publication import Publication
from data_cards.records import EncoderRecord, Fact, FileRecord, SourceRecord, StageRecord
from data_cards.responsible_ai import NOBODY_ASSESSED, NOBODY_PROMISED, PERSONAL_DATA, told_stage
from data_cards.tables import PublishedTable


class Result(Protocol):
    """What the manifest of such a result holds."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def pairmill_version(self) -> str:
        """Of the code that wrote it."""

    @property
    def licence(self) -> str:
        """Hugging Face licence identifier."""

    @property
    def card(self) -> Publication:
        """What its publisher says of it."""

    @property
    def sources(self) -> Sequence[SourceRecord]:
        """What was read."""

    @property
    def encoder(self) -> EncoderRecord:
        """What embedded it."""

    @property
    def stages(self) -> Sequence[StageRecord]:
        """In the order they ran."""

    @property
    def facts(self) -> Sequence[Fact]:
        """Fallbacks and notes."""

    @property
    def files(self) -> Mapping[str, FileRecord]:
        """Path -> checksum of every published Parquet file."""


class Told(NamedTuple):
    """What only one kind of result can say of itself.

    Attributes:
        description: What it is, in one sentence.
        keywords: For who looks for it.
        languages: ISO 639-3; empty if they were not counted.
        rows: What the sources consist of.
        manipulation: What was done to them.
        biases: That its counts show.
        limitations: That hold for all of its kind.
    """

    description: str
    keywords: Sequence[str]
    languages: Sequence[str]
    rows: str
    manipulation: str
    biases: Sequence[str]
    limitations: Sequence[str]


def render_result_croissant(
    manifest: Result, told: Told, tables: Mapping[str, PublishedTable]
) -> str:
    """Return croissant.json; equal manifests give equal text.

    Args:
        manifest: Of the result.
        told: Its own words.
        tables: Folder -> what its files are.
    """
    document = {
        **identity(manifest.name, manifest.licence, manifest.card),
        "description": f"{told.description} Built by Pairmill {manifest.pairmill_version}; "
        "README.md is the data card.",
        **({"inLanguage": list(told.languages)} if told.languages else {}),
        "keywords": list(told.keywords),
        **files_and_fields(manifest.files, tables),
        **_responsible_ai(manifest, told),
    }
    return to_text(document)


def _responsible_ai(manifest: Result, told: Told) -> dict[str, Any]:
    card, encoder = manifest.card, manifest.encoder
    sources = "; ".join(
        f"{s.name}: {s.documents:,} {told.rows}, licence {s.licence}, attribution {s.attribution}"
        for s in manifest.sources
    )
    return {
        "rai:dataCollection": f"Sources: {sources}.",
        "rai:dataCollectionType": ["Secondary Data analysis"],
        "rai:dataPreprocessingProtocol": [told_stage(stage) for stage in manifest.stages],
        "rai:dataManipulationProtocol": told.manipulation,
        "rai:dataAnnotationProtocol": ["No row was annotated, by people or by a model."],
        "rai:machineAnnotationTools": [
            f"mining: encoder {encoder.name}, revision {encoder.revision}"
        ],
        "rai:dataBiases": [*told.biases, *card.biases],
        "rai:dataLimitations": [
            *told.limitations,
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
