"""The settings of `pairmill mine`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from data_cards.publication import Publication
from flows.config import AnyEncoder, AnyEngine, AnyIndex, RunnerConfig, check_fill
from flows.mining_presets import expand_preset
from flows.settings import parse_settings, read_settings
from mining.filters.attribute import Attribute
from mining.mine import MiningConfig
from mining.vectors import VectorDtype
from sdg.assemble import AssembleConfig
from sdg.judge.config import JudgeConfig
from sdg.pairs.documents import DocumentSource
from sdg.pairs.pair_source import PairSource
from sdg.part import Part

# What the check of every published directory asks for; see `data_cards.verify`.
_PROMISED = frozenset({"same_entity", "exact_duplicate", "near_duplicate"})


# Columns of documents that a build fills and given documents have empty or all alike.
_NOT_GIVEN = {"source", "topic", "source_key", "language_score", "num_chunks"}


class GivenVectorsConfig(Part):
    """Vectors that were computed elsewhere, by one model, for queries and documents.

    Attributes:
        documents: One .npy file (float16, float32, float64), Parquet files with a column of lists,
            or one flat FAISS index; row i belongs to row i of the corpus.
        queries: The same kinds; row i belongs to row i of the pairs.
        document_column: Of the vectors, in Parquet; "": the only column of lists of floats.
        query_column: The same for queries.
        normalise: Divide every row by its length; without it, other lengths than 1 are refused. A
            row of zeros is allowed: it scores 0 with everything.
        name: Of the model, for `negative_sources` and the card.
        revision: Of the model, for the card; "": the content of the files.
    """

    documents: str
    queries: str
    document_column: str = ""
    query_column: str = ""
    normalise: bool = False
    name: str = Field(default="given", min_length=1)
    revision: str = ""


class MineShardConfig(Part):
    """How much one task does. Changing it changes no published row.

    Attributes:
        queries: Queries per shard, which a crash can lose. Every shard reads all vectors once, so
            on a large corpus more is faster; 4,096 (own) share one pass over ten million documents
            between them and take 16 MiB of scores per block.
    """

    queries: int = Field(default=4096, ge=1)


class CorpusSettings(Part):
    """A corpus and how it is searched.

    Attributes:
        corpus: The documents; None where something else supplies them.
        vectors: Given vectors; None: the encoder makes them.
        encoder: Of queries and documents; not asked if `vectors` are given.
        vector_dtype: How documents' vectors are stored; "float16" halves the disk.
        index: Back-end of the search.
    """

    corpus: DocumentSource | None = None
    vectors: GivenVectorsConfig | None = None
    encoder: AnyEncoder = Field(default={"encoder": "use_multilingual"}, validate_default=True)
    vector_dtype: VectorDtype = "float32"
    index: AnyIndex = Field(default={"index": "auto"}, validate_default=True)


class MineConfig(CorpusSettings):
    """Everything that decides which negatives given pairs get.

    Attributes:
        title: Name of the data set, for people.
        licence: Licence of the published rows, as a Hugging Face licence id.
        description: One or two sentences for the card.
        card: What only the publisher can say: version, date, creators, what it is for.
        seed: The run's seed.
        pairs: Queries and positives.
        corpus: What negatives are taken from; None: the positives of all pairs.
        mining: Rules and selection.
        in_document: Other chunks of the positives' own documents proposed per query, the nearest
            ones; 0 for none. Needs `parent_id` and `chunk_index` in the corpus (InSeNT).
        generators: The LLMs that judge, by the name that `judge` refers to.
        judge: Who looks for false negatives; off unless it is configured.
        assemble: Splits and files.
        shards: How the work is cut.
        runner: Where shards are worked on.
    """

    title: str = "Mined pairs"
    licence: str = "unknown"
    description: str = ""
    card: Publication = Publication()
    seed: int = 0
    pairs: PairSource
    mining: MiningConfig = MiningConfig()
    in_document: int = Field(default=0, ge=0)
    generators: dict[str, AnyEngine] = Field(default={})
    judge: JudgeConfig = JudgeConfig()
    assemble: AssembleConfig = AssembleConfig()
    shards: MineShardConfig = MineShardConfig()
    runner: RunnerConfig = RunnerConfig()

    @model_validator(mode="after")
    def _rules_keep_the_promise(self) -> MineConfig:
        missing = sorted(_PROMISED - {rule.name for rule in self.mining.rules})
        if missing:
            raise ValueError(
                f"`mining.rules` must hold {', '.join(sorted(_PROMISED))}, but "
                f"{', '.join(missing)} are missing. No published row has a "
                "negative that is, or nearly is, its positive; where nothing repeats, these rules "
                "drop nothing."
            )
        return self

    @model_validator(mode="after")
    def _miners_have_names(self) -> MineConfig:
        own = f"dense:{self.encoder.name if self.vectors is None else self.vectors.name}"
        if own in [miner.source for miner in self.mining.miners]:
            raise ValueError(
                f"`mining.miners` must have other names than the first search, but one is {own} "
                "instead. Give it a `label`, or leave it out if it is the same model."
            )
        return self

    @model_validator(mode="after")
    def _judges_have_engines(self) -> MineConfig:
        for name in self.judge.engines:
            if name not in self.generators:
                known = ", ".join(sorted(self.generators)) or "none"
                raise ValueError(
                    f"each engine that judges must be listed under `generators`, but {name!r} is "
                    f"not (listed: {known}). Add it there, correct the name, or judge nothing with "
                    "`judge.enabled: false`."
                )
        return self

    @model_validator(mode="after")
    def _rules_have_columns(self) -> MineConfig:
        given = () if self.corpus is None else self.corpus.attributes
        for number, rule in enumerate(self.mining.rules):
            asked = rule.policies if isinstance(rule, Attribute) else {}
            missing = sorted((asked.keys() & _NOT_GIVEN) - set(given))
            if missing:
                raise ValueError(
                    f"`mining.rules.{number}.policies` must name columns that the documents have, "
                    f"but {missing[0]!r} is not kept of those given. Add it to "
                    "`corpus.attributes`."
                )
        return self

    @model_validator(mode="after")
    def _judges_see_all(self) -> MineConfig:
        check_fill(self.mining, self.judge)
        return self

    @model_validator(mode="after")
    def _vectors_have_a_corpus(self) -> MineConfig:
        if self.vectors is not None and self.corpus is None:
            raise ValueError(
                "`vectors` must come with a corpus whose rows they belong to, but `corpus` is "
                "missing. Give --corpus, or leave the vectors out."
            )
        return self


def load_mine_config(
    config: Path | None,
    preset: str | None,
    arguments: Sequence[str],
    overrides: Sequence[str] = (),
) -> MineConfig:
    """Return the settings of a mining run.

    A preset gives what the file leaves out; the command line's arguments and then its overrides
    come last.

    Args:
        config: A YAML file, or None.
        preset: Name of a mining preset, or None.
        arguments: As overrides: `pairs.path=...`.
        overrides: `a.b=c`, see `flows.config.load_config`.

    Raises:
        ConfigError: If the settings cannot work.
    """
    named = [] if preset is None else [f"mining.preset={preset}"]
    values: dict[str, Any] = read_settings(config, [*named, *arguments, *overrides])
    return parse_settings(expand_preset(values), str(config or "the command line"), MineConfig)
