"""The settings of `pairmill bitext`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from data_cards.bitext_manifest import BitextPublication
from flows.config import AnyEncoder, AnyIndex, RunnerConfig
from flows.mine_config import CorpusSettings, GivenVectorsConfig
from flows.mining_presets import expand_preset
from flows.settings import parse_settings, read_settings
from mining.bitext import BitextConfig
from mining.vectors import VectorDtype
from sdg.pairs.documents import DocumentSource
from sdg.part import Part

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")


class SentenceSource(DocumentSource):
    """One side: texts, and or not ids and languages; other columns are not read unless named.

    Without ids a text that repeats is one sentence.
    """

    title_column: str = "-"
    entity_column: str = "-"
    group_column: str = "-"
    parent_column: str = "-"
    chunk_index_column: str = "-"

    def text_column_read(self) -> str:
        """Return the column of texts in the first file, named or found; "" if there is no row.

        Raises:
            DataError: If there is none, or the source cannot be read.
            BackendError: If the hub does not answer.
        """
        found = [""]

        def choose(present: Sequence[str], where: str) -> list[str]:
            found.append(self.choose(present, where)["text"])
            return found[-1:]

        next(self.batches(choose), None)
        return found[-1]


class SourceSentences(SentenceSource):
    """The side that queries come from."""

    setting: ClassVar[str] = "source"


class TargetSentences(SentenceSource):
    """The side that positives come from."""

    setting: ClassVar[str] = "target"


class BitextVectorsConfig(Part):
    """Vectors that were computed elsewhere, by one model for both sides.

    Attributes:
        source: Row i belongs to row i of the source; kinds of files as in `GivenVectorsConfig`.
        target: The same for the target.
        source_column: Of the vectors, in Parquet; "": the only column of lists of floats.
        target_column: The same for the target.
        normalise: Divide every row by its length; without it, other lengths than 1 are refused.
        name: Of the model, for the manifest.
        revision: Of the model, for the manifest; "": the content of the files.
    """

    source: str
    target: str
    source_column: str = ""
    target_column: str = ""
    normalise: bool = False
    name: str = Field(default="given", min_length=1)
    revision: str = ""

    def of(self, side: Side) -> GivenVectorsConfig:
        """Return the vectors of one side, which asks the other with those it is found by."""
        path, column = {
            "source": (self.source, self.source_column),
            "target": (self.target, self.target_column),
        }[side]
        return GivenVectorsConfig(
            documents=path,
            queries=path,
            document_column=column,
            query_column=column,
            normalise=self.normalise,
            name=self.name,
            revision=self.revision,
        )


class BitextRunConfig(Part):
    """Everything that decides which sentences become pairs.

    Attributes:
        title: Name of the pairs, for people.
        licence: Licence of the published pairs, as a Hugging Face licence id.
        description: One or two sentences for the card.
        card: What only the publisher can say: version, date, creators, what it is for.
        source: Sentences that become queries.
        target: Sentences that become positives.
        vectors: Given vectors; None: the encoder makes them.
        encoder: Of both sides, as documents: a translation is as near from either side. Not asked
            if `vectors` are given.
        vector_dtype: How vectors are stored; "float16" halves the disk.
        index: Back-end of the search, an exact one.
        bitext: Margin, retrieval and threshold; the defaults are LASER's.
        runner: Where the work is done.
    """

    title: str = "Mined translation pairs"
    licence: str = "unknown"
    description: str = ""
    card: BitextPublication = BitextPublication()
    source: SourceSentences
    target: TargetSentences
    vectors: BitextVectorsConfig | None = None
    encoder: AnyEncoder = Field(default={"encoder": "use_multilingual"}, validate_default=True)
    vector_dtype: VectorDtype = "float32"
    index: AnyIndex = Field(default={"index": "faiss_flat"}, validate_default=True)
    bitext: BitextConfig = BitextConfig()
    runner: RunnerConfig = RunnerConfig()

    @model_validator(mode="after")
    def _index_is_exact(self) -> BitextRunConfig:
        if not self.index.is_exact:
            raise ValueError(
                f"`index` must be exact, but is {self.index.name} instead: a neighbour that is "
                "missed changes the margins of all pairs around it. Take auto, exact, faiss_flat "
                "or torch."
            )
        return self

    def side(self, side: Side) -> CorpusSettings:
        """Return one side as a corpus that can be searched."""
        return CorpusSettings(
            corpus=self.source if side == "source" else self.target,
            vectors=None if self.vectors is None else self.vectors.of(side),
            encoder=self.encoder,
            vector_dtype=self.vector_dtype,
            index=self.index,
        )


def load_bitext_config(
    config: Path | None,
    preset: str | None,
    arguments: Sequence[str],
    overrides: Sequence[str] = (),
) -> BitextRunConfig:
    """Return the settings of a run; see `flows.mine_config.load_mine_config`.

    Raises:
        ConfigError: If the settings cannot work.
    """
    named = [] if preset is None else [f"bitext.preset={preset}"]
    values = read_settings(config, [*named, *arguments, *overrides])
    expanded = expand_preset(values, "bitext")
    return parse_settings(expanded, str(config or "the command line"), BitextRunConfig)
