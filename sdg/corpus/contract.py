"""What the corpus stage is given, and its settings."""

from __future__ import annotations

from typing import Self

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from sdg.errors import ConfigError
from sdg.language import language_tag
from sdg.part import Part
from sdg.schemas import NATURAL_TEXT

STAGE = "corpus"

# One row per document as a reader found it, before anything is decided.
RAW_DOCUMENTS = pa.schema(
    [
        ("source_key", pa.string()),  # key or path inside the source, for people
        ("text", pa.string()),
        ("title", pa.string()),  # "" if none
        ("language", pa.string()),  # as declared, ISO 639-3 + script; "" if not declared
        ("topic", pa.string()),  # "" if none
        ("entity_key", pa.string()),  # comparison key of the entity's name; "" if unknown
        ("natural_texts", pa.list_(NATURAL_TEXT)),
        ("reason", pa.string()),  # "" or why the reader could not read this document
        ("detail", pa.string()),  # what decided, for people
    ]
)

# One row per document and in the same order: what the duplicate search says of it.
VERDICTS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("keep", pa.bool_()),
        ("reason", pa.string()),  # "", "exact_duplicate" or "near_duplicate"
        ("duplicate_of", pa.string()),  # a kept document; "" if this one is kept
        ("group_id", pa.string()),
    ]
)


class CorpusConfig(Part):
    """How raw documents become documents.

    Attributes:
        chunk: Split documents; if False each stays whole, whatever its length.
        max_sentences: Sentences per chunk; None leaves it to `max_characters` (5: Nemotron recipe).
        min_characters: Shorter chunks are rejected (50: Nemotron recipe). A last chunk shorter than
            this joins the one before it, if `max_characters` allows.
        max_characters: No chunk is longer; also cuts text without sentence ends (own: about 500
            tokens, the length most encoders read).
        min_language_score: Confidence in [0, 1] that rejects (0.65: datatrove): a document without
            a declared language whose detected language scores lower, or one that is detected
            to be in another language than declared with at least this score. None only records.
        language_characters: How much of a document's start the detector reads at first (own: twice
            as fast as 300, and a claim that loses is looked at again anyway).
        expected_languages: The only languages the detector considers, two or more; empty for all
            75. Fifteen times faster and surer on short texts, but text in any other language is
            taken for one of these; a document declared in another one is not verified.
        deduplicate: Drop exact and near duplicates. If False, only documents with the very same
            text are dropped: they would share one doc_id.
        jaccard: Texts at least this similar are near duplicates (0.8; Curator's bands mean 0.79).
        shingle_characters: Length of the character n-grams compared (24: Curator).
        group_same_entity: Put documents with the same entity key in one group.
    """

    chunk: bool = True
    max_sentences: int | None = Field(default=5, ge=1)
    min_characters: int = Field(default=50, ge=1)
    max_characters: int = Field(default=2000, ge=1)
    min_language_score: float | None = Field(default=0.65, ge=0, le=1)
    language_characters: int = Field(default=200, ge=1)
    expected_languages: tuple[str, ...] = ()
    deduplicate: bool = True
    jaccard: float = Field(default=0.8, ge=0.3, le=1)
    shingle_characters: int = Field(default=24, ge=1)
    group_same_entity: bool = True

    @field_validator("expected_languages")
    @classmethod
    def _two_or_none(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) == 1:
            raise ConfigError(
                f"`corpus.expected_languages` must be empty or hold two languages or more, but is "
                f"{list(value)} instead. With a single one nothing could be told apart."
            )
        return tuple(language_tag(language) for language in value)

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Self:
        if self.chunk and self.max_characters < self.min_characters:
            raise ConfigError(
                f"`corpus.max_characters` must be at least `corpus.min_characters` = "
                f"{self.min_characters}, but is {self.max_characters} instead. "
                "Otherwise every chunk would be rejected."
            )
        return self
