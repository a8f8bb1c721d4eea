"""The stages of the corpus: configuration and finished shards in, a finished shard out.

Each body opens what the stage needs, calls the pure stage, and finishes the shard. Identities name
exactly what decides a shard's content; whatever is not in them cannot make it be computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flows.config import RunConfig
from flows.resources import Documents
from flows.stage_shards import identity_of, outcome_of
from flows.workspace import Workspace
from sdg import corpus
from sdg.corpus.readers import Reader
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.shards import Counts, Outcome, Shard, finish, load
from sdg.vocabulary import build_vocabularies


def read_source(space: Workspace, config: RunConfig, number: int) -> list[Shard]:
    """Read, normalise, identify and cut source `number`; one shard per batch of the reader.

    Returns:
        The shards in the order of the source. Counts are in pieces.
    """
    reader = config.sources[number]
    name = f"{number}-{reader.name}"
    inputs = identity_of(
        "read",
        reader=reader.identity(),
        content=reader.content_identity(),
        corpus=config.corpus.model_dump(mode="json"),
    )
    index = load(space.shared("read", f"{name}-index"), fingerprint(inputs))
    if index is not None:
        found = [
            load(space.shared("read", f"{name}-{i:05d}"), fingerprint({**inputs, "batch": i}))
            for i in range(index.facts["shards"])
        ]
        if all(shard is not None for shard in found):
            return [shard for shard in found if shard is not None]
    shards = list(_cut_batches(space, config, reader, name, inputs))
    finish(
        space.shared("read", f"{name}-index"),
        inputs,
        lambda: Outcome({}, Counts(), {"shards": len(shards)}),
    )
    return shards


def _cut_batches(
    space: Workspace, config: RunConfig, reader: Reader, name: str, inputs: dict[str, Any]
) -> Iterator[Shard]:
    for number, batch in enumerate(reader.read()):
        yield finish(
            space.shared("read", f"{name}-{number:05d}"),
            {**inputs, "batch": number},
            lambda batch=batch: outcome_of(  # type: ignore[misc]
                corpus.cut_documents(batch, reader.name, config.corpus),
                raw_documents=batch.num_rows,
            ),
        )


def find_corpus_duplicates(space: Workspace, config: RunConfig, pieces: Sequence[Shard]) -> Shard:
    """Find duplicates and groups over all pieces of all sources.

    Raises:
        DataError: If no piece is left: every document was rejected.
    """
    if not sum(shard.counts.kept for shard in pieces):
        reasons = Counts()
        for shard in pieces:
            reasons = reasons + shard.counts
        raise DataError(
            "The corpus must keep at least one document, but all were rejected instead: "
            f"{dict(reasons.rejected)}. Relax `corpus`, or give other documents."
        )
    files = [shard.folder / "kept.parquet" for shard in pieces]

    def compute() -> Outcome:
        batches = corpus.Rereadable(lambda: Documents(files).batches(corpus.DUPLICATE_COLUMNS))
        verdicts = corpus.find_duplicates(batches, config.corpus)
        return Outcome({"verdicts": verdicts}, Counts())

    return finish(
        space.shared("deduplicate", "verdicts"),
        identity_of(
            "deduplicate",
            corpus=config.corpus.model_dump(mode="json"),
            pieces=[shard.digest for shard in pieces],
        ),
        compute,
    )


def drop_corpus_duplicates(
    space: Workspace, verdicts: Shard, piece: Shard, first_row: int
) -> Shard:
    """Return the documents of one shard of pieces that are no duplicates, with their groups.

    Args:
        space: The run's folders.
        verdicts: Of all pieces, in their order.
        piece: The shard of pieces.
        first_row: Of this shard among all verdicts.
    """

    def compute() -> Outcome:
        rows = verdicts.table("verdicts").slice(first_row, piece.counts.kept)
        return outcome_of(corpus.apply_duplicates(piece.table("kept"), rows))

    return finish(
        space.shared("deduplicate", piece.folder.name),
        identity_of(
            "deduplicate", verdicts=verdicts.digest, piece=piece.digest, first_row=first_row
        ),
        compute,
    )


def corpus_vocabulary(
    space: Workspace, config: RunConfig, documents: Sequence[Shard]
) -> Shard | None:
    """Count the words of the corpus by language, if a gate asks for them."""
    if not any(gate.needs_vocabulary for gate in config.gates):
        return None

    def compute() -> Outcome:
        return Outcome(dict(build_vocabularies(corpus_of(documents).batches())), Counts())

    return finish(
        space.shared("vocabulary", "all"),
        identity_of("vocabulary", documents=[shard.digest for shard in documents]),
        compute,
    )


def corpus_of(documents: Sequence[Shard]) -> Documents:
    """Return the look-up over the deduplicated corpus."""
    return Documents([shard.folder / "kept.parquet" for shard in documents])
