"""DIR/manifest.json of a subsampled corpus: what it was taken from, who found what, what was left.

Reference: Enevoldsen et al. 2025, MMTEB, arXiv 2502.13595.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from data_cards import layout
from data_cards.manifest_file import checked, read_manifest
from data_cards.privacy import private_values
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

# The stage that counts documents that stay.
STAGE = "subsample"
# Why one does not: no miner found it; or there was no room for all that were found.
NOT_NEAR, OVER_LIMIT = "not_near", "over_limit"


class SubsamplePublication(Publication):
    """What the publisher of a subsampled corpus can say; see `Publication`."""

    intended_use: Texts = (
        "measuring retrieval and mining hard negatives at a part of the cost of the whole corpus",
    )
    not_for: Texts = ("finding documents: most of the corpus is missing",)


class FinderRecord(Part):
    """What one miner found near the top of any query.

    Attributes:
        miner: Its name.
        documents: Different documents of the corpus.
        only_here: Of them, those that no other miner found and that are no positive.
    """

    miner: str
    documents: Count
    only_here: Count


class SubsampleManifest(Part):
    """Everything about a subsampled corpus that its files alone do not say.

    As in a data set's manifest there is no time stamp, host name or absolute path.

    Attributes:
        kind: Tells it from a data set with negatives.
        format_version: Of this file and of the data files.
        name: For people.
        pairmill_version: Of the code that wrote it.
        licence: Hugging Face licence identifier of the whole.
        card: What its publisher says of it.
        config: The settings that decided it, made publishable by `privacy.publishable`.
        fingerprint: Of everything that decided the content.
        seed: Decides what a limit leaves out.
        versions: Package -> version, of packages that may change a result.
        sources: Pairs and corpus.
        encoder: What embedded them.
        index: What searched.
        top_n: Documents that each miner was asked for, per query.
        max_documents: Limit; null for none.
        finders: In the order they were asked; the encoder first.
        positives: Documents that are a positive of some query; all of them are there.
        added: Of them, documents that only the pairs knew.
        stages: In the order they ran; the last counts the corpus's documents.
        facts: Fallbacks and notes.
        files: Path -> checksum of every file in data/ and rejected/.
    """

    kind: Literal["subsample"] = "subsample"
    format_version: Literal["0.1.0"] = "0.1.0"
    name: str
    pairmill_version: str
    licence: str
    card: SubsamplePublication = SubsamplePublication()
    config: dict[str, JsonValue]
    fingerprint: Sha256
    seed: int
    versions: dict[str, str]
    sources: tuple[SourceRecord, ...]
    encoder: EncoderRecord
    index: str
    top_n: Annotated[int, Field(ge=1)]
    max_documents: Annotated[int, Field(ge=1)] | None
    finders: tuple[FinderRecord, ...]
    positives: Count
    added: Count
    stages: tuple[StageRecord, ...]
    facts: tuple[Fact, ...]
    files: dict[str, FileRecord]

    @property
    def documents(self) -> int:
        """Rows in all data files."""
        return sum(f.rows for p, f in self.files.items() if p.startswith(f"{layout.DATA}/"))

    def to_json(self) -> dict[str, Any]:
        """Return JSON that `load_subsample_manifest` reads back to an equal manifest."""
        return self.model_dump(mode="json")

    @model_validator(mode="after")
    def _check_rows(self) -> SubsampleManifest:
        read, last = self.stages[0], self.stages[-1]
        if (last.name, last.rows_in) != (STAGE, read.kept):
            raise ValueError(
                f"the last stage must be {STAGE} and be given the {read.kept} documents that were "
                f"read, but {last.name} was given {last.rows_in}. Documents were lost."
            )
        if self.documents != last.kept + self.added:
            raise ValueError(
                f"the documents of the files ({self.documents}) must equal those that stay, but "
                f"these are {last.kept} of the corpus and {self.added} of the pairs."
            )
        rejected = sum(f.rows for p, f in self.files.items() if p.startswith(layout.REJECTED))
        told = sum(sum(stage.rejected.values()) for stage in self.stages)
        if rejected != told:
            raise ValueError(
                f"every rejection must be in a file, but {told} were counted and {rejected} are."
            )
        if self.max_documents is not None and self.documents > self.max_documents:
            raise ValueError(
                f"there must be at most {self.max_documents} documents, but there are "
                f"{self.documents}."
            )
        return self

    @model_validator(mode="after")
    def _check_privacy(self) -> SubsampleManifest:
        found = private_values(self.config)
        if found:
            raise ValueError(f"`config` must hold nothing private, but has some under {found}.")
        return self


def checked_subsample_manifest(fields: Mapping[str, Any]) -> SubsampleManifest:
    """Return the manifest with these fields, for the code that publishes the corpus.

    Raises:
        ContractError: If a field is missing or a law does not hold; the message lists all faults.
    """
    return checked(SubsampleManifest, fields)


def load_subsample_manifest(directory: Path) -> SubsampleManifest:
    """Return the manifest of the subsampled corpus in `directory`.

    Raises:
        DataError: If there is none, it is damaged, of another kind, or breaks a law.
    """
    return read_manifest(
        SubsampleManifest, directory, "a manifest of `pairmill subsample`", "Run the command again."
    )
