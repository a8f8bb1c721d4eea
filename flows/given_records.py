"""What manifests say of given pairs, a given corpus, and what embedded them."""

from __future__ import annotations

from collections.abc import Iterator

from data_cards.records import EncoderRecord, SourceRecord
from flows.given_vectors import given_dimension, given_revision
from flows.mine_config import MineConfig
from flows.mining_records import encoder_name
from flows.resources import held
from flows.workspace import Workspace
from sdg.ids import fingerprint
from sdg.pairs.tables import TableSource


def given_sources(config: MineConfig, num_pairs: int, num_documents: int) -> Iterator[SourceRecord]:
    """Yield the pairs and, if there is one, the corpus, with their rows."""
    counts = {"pairs": num_pairs}
    sources: dict[str, TableSource] = {"pairs": config.pairs}
    if config.corpus is not None:
        counts["corpus"] = num_documents
        sources["corpus"] = config.corpus
    for name, source in sources.items():
        yield SourceRecord(
            name=name,
            reader="given",
            content=fingerprint(source.content_identity()),
            documents=counts[name],
            licence=getattr(source, "licence", "unknown"),
            attribution=getattr(source, "attribution", "unknown"),
        )


def given_encoder(config: MineConfig, space: Workspace) -> EncoderRecord:
    """Return the encoder, or whose the given vectors are."""
    given = config.vectors
    if given is not None:
        return EncoderRecord(
            name=given.name,
            revision=given_revision(given),
            dimensions=given_dimension(space, given),
        )
    encoder = held(config.encoder)
    return EncoderRecord(
        name=encoder_name(encoder), revision=encoder.revision(), dimensions=encoder.dimension
    )
