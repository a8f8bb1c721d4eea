"""DIR/manifest.json of mined translation pairs: what they were made of, what became of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, model_validator

from data_cards import layout
from data_cards.manifest_file import checked, read_manifest
from data_cards.publication import Publication, Texts
from data_cards.records import (
    Count,
    EncoderRecord,
    Fact,
    FileRecord,
    Sha256,
    SourceRecord,
    StageRecord,
)
from sdg.part import Part


class BitextPublication(Publication):
    """What the publisher of translation pairs can say; see `Publication`."""

    intended_use: Texts = ("training and fine-tuning multilingual embedding models",)
    not_for: Texts = ()


class LanguagePair(Part):
    """Pairs of one pair of languages.

    Attributes:
        source: Language of the queries.
        target: Language of the positives.
        pairs: How many.
    """

    source: str
    target: str
    pairs: Count


class BitextManifest(Part):
    """Everything about mined translation pairs that their files alone do not say.

    As in a data set's manifest there is no time stamp, host name or absolute path.

    Attributes:
        kind: Tells it from a data set with negatives.
        format_version: Of this file and of the data files.
        name: For people.
        pairmill_version: Of the code that wrote it.
        licence: Hugging Face licence identifier of the whole.
        card: What its publisher says of it.
        config: The resolved configuration, made publishable by `privacy.publishable`.
        fingerprint: Of everything that decided the content.
        versions: Package -> version, of packages that may change a result.
        sources: The two sides.
        encoder: What embedded them.
        index: What searched.
        stages: In the order they ran; the last two count sentences that are in a pair, by side.
        languages: Pairs by languages, by source and target.
        facts: Fallbacks and notes.
        files: Path -> checksum of every file in data/ and rejected/.
    """

    kind: Literal["bitext"] = "bitext"
    format_version: Literal["0.1.0"] = "0.1.0"
    name: str
    pairmill_version: str
    licence: str
    card: BitextPublication = BitextPublication()
    config: dict[str, JsonValue]
    fingerprint: Sha256
    versions: dict[str, str]
    sources: tuple[SourceRecord, ...]
    encoder: EncoderRecord
    index: str
    stages: tuple[StageRecord, ...]
    languages: tuple[LanguagePair, ...]
    facts: tuple[Fact, ...]
    files: dict[str, FileRecord]

    @property
    def pairs(self) -> int:
        """Rows in all data files."""
        return sum(f.rows for p, f in self.files.items() if p.startswith(f"{layout.DATA}/"))

    def to_json(self) -> dict[str, Any]:
        """Return JSON that `load_bitext_manifest` reads back to an equal manifest."""
        return self.model_dump(mode="json")

    @model_validator(mode="after")
    def _check_rows(self) -> BitextManifest:
        left: dict[str, int] = {}
        for stage in self.stages:
            if left.get(stage.unit, stage.rows_in) != stage.rows_in:
                raise ValueError(
                    f"stage {stage.name} must be given the {left[stage.unit]} {stage.unit} that "
                    f"were left, but was given {stage.rows_in}. Rows were lost."
                )
            left[stage.unit] = stage.kept
        by_language = sum(entry.pairs for entry in self.languages)
        if {self.pairs, by_language} != {left.get("pairs", 0)}:
            raise ValueError(
                f"the pairs of the files ({self.pairs}) and of all languages ({by_language}) must "
                f"equal the pairs that were kept, but these are {left.get('pairs', 0)}."
            )
        return self


def checked_bitext_manifest(fields: Mapping[str, Any]) -> BitextManifest:
    """Return the manifest with these fields, for the code that publishes pairs.

    Raises:
        ContractError: If a field is missing or a law does not hold; the message lists all faults.
    """
    return checked(BitextManifest, fields)


def load_bitext_manifest(directory: Path) -> BitextManifest:
    """Return the manifest of the translation pairs in `directory`.

    Raises:
        DataError: If there is none, it is damaged, of another kind, or breaks a law.
    """
    return read_manifest(
        BitextManifest, directory, "a manifest of `pairmill bitext`", "Run the command again."
    )
