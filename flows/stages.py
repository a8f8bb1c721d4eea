"""One function per stage: configuration and finished shards in, a finished shard out.

Each body opens what the stage needs, calls the pure stage, and finishes the shard. Identities name
exactly what decides a shard's content; whatever is not in them cannot make it be computed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from flows.asking import JournalAsk
from flows.config import RunConfig
from flows.progress import advance
from flows.resources import Documents, held, opened_corpus
from flows.workspace import Workspace
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries, embed_documents
from mining.indexes import Index
from mining.merge import fuse
from mining.mine import mine
from mining.proposals import Proposals
from mining.retrieve import retrieve
from mining.vectors import VectorStore
from sdg import cell_yield, corpus, duplicate_queries, round_trip
from sdg.corpus.readers import Reader
from sdg.errors import DataError
from sdg.gates import apply_gates
from sdg.generate import generate
from sdg.ids import fingerprint
from sdg.llm import ChatRequest, Reply, Score, ScoreRequest
from sdg.relabel.positives import documents_to_judge, relabel
from sdg.schemas import StageResult
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish, load
from sdg.verdicts import VERDICTS, apply_verdicts
from sdg.vocabulary import build_vocabularies

# Raised by hand when a stage gives other rows than before for the same inputs and settings.
CODE_VERSIONS = {
    "read": 1,
    "deduplicate": 1,
    "vocabulary": 1,
    "embed": 1,
    "plan": 1,
    "generate": 1,
    "gate": 1,
    "duplicates": 1,
    "retrieve": 1,
    "round_trip": 1,
    "cell_yield": 1,
    "relabel": 1,
    "miners": 1,
    "propose": 1,
    "recall": 1,
    "mine": 2,
    "given_corpus": 1,
    "given_pairs": 1,
    "embed_queries": 1,
    "last_ranked": 1,
    "judge": 1,
    "agreement": 1,
    "documents": 1,
    "rows": 1,
    "bitext_nearest": 1,
    "bitext": 1,
    "relabel_existing": 1,
    "decontaminate": 1,
}


def identity_of(stage: str, **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Return the identity of a shard of `stage`: its code version and everything named."""
    return {"stage": stage, "code": CODE_VERSIONS[stage], **parts}


def outcome_of(result: StageResult, **extra: int) -> Outcome:
    """Return what a stage with kept and rejected rows leaves on disk."""
    tables = {"kept": result.kept, "rejected": result.rejected}
    return Outcome(tables, Counts.of(result, **extra))


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


def generate_shard(
    space: Workspace,
    config: RunConfig,
    requests: pa.Table,
    documents: Sequence[Shard],
    name: str,
) -> Shard:
    """Ask for the candidates of one slice of requests, all of one generator.

    Args:
        space: The run's folders.
        config: The run.
        requests: REQUESTS of one generator, or of tasks that ask none.
        documents: The corpus.
        name: The shard's name.
    """
    generator = requests["generator"][0].as_py()
    engine = held(config.generators[generator]) if generator else None
    revision = engine.revision() if engine is not None else ""
    sources = corpus_of(documents).rows(requests["source_doc_id"].combine_chunks())
    folder = space.shard("generate", name)
    tasks = config.plan.tasks()

    def compute() -> Outcome:
        asker = JournalAsk(config.generators, space.journal, folder)
        tokens: Counter[str] = Counter(prompt_tokens=0, completion_tokens=0)

        def ask(batch: Sequence[ChatRequest]) -> list[Reply]:
            replies = asker.complete(generator, batch) if generator else []
            for reply in replies:
                tokens["prompt_tokens"] += reply.prompt_tokens
                tokens["completion_tokens"] += reply.completion_tokens
                if reply.reasoning_tokens:
                    tokens["reasoning_tokens"] += reply.reasoning_tokens
            return replies

        result = generate(requests, sources, tasks, ask, model_revision=revision)
        return outcome_of(result, **tokens, **{UNANSWERED: asker.unanswered})

    names = sorted(set(requests["task"].to_pylist()))
    shard = finish(
        folder,
        identity_of(
            "generate",
            engine=engine.identity() if engine is not None else {},
            revision=revision,
            tasks={t: tasks[t].identity() for t in names},
            requests=_content(requests),
            sources=_content(sources),
        ),
        compute,
    )
    if not shard.was_computed or engine is None:
        advance(requests.num_rows)
    return shard


def gate_shard(
    space: Workspace,
    config: RunConfig,
    candidates: Shard,
    documents: Sequence[Shard],
    vocabulary: Shard | None,
) -> Shard:
    """Apply the gates to one shard of candidates."""

    def compute() -> Outcome:
        queries = candidates.table("kept")
        sources = corpus_of(documents).rows(queries["source_doc_id"].combine_chunks())
        words = {} if vocabulary is None else _tables(vocabulary)
        return outcome_of(apply_gates(queries, sources, config.gates, vocabularies=words))

    return finish(
        space.shard("gate", candidates.folder.name),
        identity_of(
            "gate",
            gates=[gate.identity() for gate in config.gates],
            candidates=candidates.digest,
            vocabulary="" if vocabulary is None else vocabulary.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def find_run_duplicates(space: Workspace, config: RunConfig, gated: Sequence[Shard]) -> Shard:
    """Find equal queries over the whole run."""
    columns = ["query_id", "query", "query_language", "source_doc_id"]

    def compute() -> Outcome:
        batches = (shard.table("kept", columns) for shard in gated)
        verdicts = duplicate_queries.find_duplicate_queries(batches, config.duplicates)
        return Outcome({"verdicts": verdicts}, Counts())

    return finish(
        space.shard("duplicates", "verdicts"),
        identity_of(
            "duplicates",
            config=config.duplicates.model_dump(mode="json"),
            gated=[shard.digest for shard in gated],
        ),
        compute,
    )


def carry_out(space: Workspace, stage: str, verdicts: Shard, queries: Shard) -> Shard:
    """Return one shard of queries without those that a verdict of the whole run stops."""

    def compute() -> Outcome:
        return outcome_of(apply_verdicts(queries.table("kept"), verdicts.table("verdicts"), stage))

    return finish(
        space.shard(stage, queries.folder.name),
        identity_of(stage, verdicts=verdicts.digest, queries=queries.digest),
        compute,
    )


def embed_corpus(space: Workspace, config: RunConfig, documents: Sequence[Shard]) -> Shard:
    """Embed every document that has no vector yet."""
    encoder = held(config.encoder)
    paths = [shard.folder / "kept.parquet" for shard in documents]
    store = VectorStore(space.vectors, encoder, "document")

    def compute() -> Outcome:
        report = embed_documents(store, paths, advance).to_json()
        # How many were embedded just now depends on what was there: no fact of the data.
        facts = {"truncated": report.get("truncated", 0), "revision": encoder.revision()}
        total = sum(shard.counts.kept for shard in documents)
        return Outcome({}, Counts(total, total), facts)

    return finish(
        space.shared("embed", "documents"),
        identity_of(
            "embed",
            encoder=encoder.identity(),
            revision=encoder.revision(),
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def open_corpus(space: Workspace, config: RunConfig, documents: Sequence[Shard]) -> CorpusView:
    """Return the searchable corpus; vectors stay on disk."""
    paths = [shard.folder / "kept.parquet" for shard in documents]
    encoder = held(config.encoder)
    key = [str(space.vectors), encoder.identity(), encoder.revision()]
    return opened_corpus(
        fingerprint([*key, [[str(s.folder), s.digest] for s in documents]]),
        lambda: CorpusView.open(paths, VectorStore(space.vectors, encoder, "document")),
    )


def open_index(
    space: Workspace, config: RunConfig, corpus: CorpusView, documents: Sequence[Shard]
) -> Index:
    """Return the index, ready to search `corpus`; an approximate one is built once and kept."""
    index, encoder = held(config.index), held(config.encoder)
    made_of = [encoder.identity(), encoder.revision(), [shard.digest for shard in documents]]
    index.prepare(corpus, space.indexes, fingerprint(made_of))
    return index


def retrieve_shard(
    space: Workspace, config: RunConfig, queries: Shard, documents: Sequence[Shard]
) -> Shard:
    """Embed one shard of queries and search the whole corpus for them."""
    encoder = held(config.encoder)

    def compute() -> Outcome:
        table = queries.table("kept")
        embedded = EmbeddedQueries.embed(table, encoder)
        corpus = open_corpus(space, config, documents)
        index = open_index(space, config, corpus, documents)
        found = retrieve(embedded, corpus, index, top_k=config.retrieve_depth)
        tables = {"candidates": found, "vectors": embedded.to_table()}
        extra = {"queries_truncated": embedded.truncated} if embedded.truncated else {}
        return Outcome(tables, Counts(table.num_rows, table.num_rows, {}, extra))

    return finish(
        space.shard("retrieve", queries.folder.name),
        identity_of(
            "retrieve",
            encoder=encoder.identity(),
            revision=encoder.revision(),
            index=config.index.identity(),
            top_k=config.retrieve_depth,
            queries=queries.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def round_trip_shard(
    space: Workspace,
    config: RunConfig,
    queries: Shard,
    candidates: Shard,
    documents: Sequence[Shard],
) -> Shard:
    """Keep the queries that find their source again, the best one per request."""
    size = sum(shard.counts.kept for shard in documents)
    searched = round_trip.Searched(size, config.seed)

    def compute() -> Outcome:
        table = queries.table("kept")
        result = round_trip.check_round_trip(
            table, candidates.table("candidates"), config.round_trip, searched
        )
        passed = cell_yield.count_candidates([round_trip.passing_queries(result, table)])
        done = outcome_of(result)
        return Outcome({**done.tables, "passed": passed}, done.counts)

    return finish(
        space.shard("round_trip", queries.folder.name),
        identity_of(
            "round_trip",
            config=config.round_trip.model_dump(mode="json"),
            searched=None if config.round_trip.pool is None else list(searched),
            queries=queries.digest,
            candidates=candidates.digest,
        ),
        compute,
    )


def find_low_yield(
    space: Workspace, config: RunConfig, generated: Sequence[Shard], checked: Sequence[Shard]
) -> Shard:
    """Find the cells (generator, task, languages) in which too few candidates pass."""

    def compute() -> Outcome:
        arrived = cell_yield.count_candidates(shard.table("kept") for shard in generated)
        counts = [shard.table("passed") for shard in checked]
        passed = (
            pl.concat([pl.DataFrame(c) for c in counts])
            .group_by(cell_yield.CELL)
            .agg(pl.col("num_candidates").sum())
            .sort(cell_yield.CELL)
        )
        cells = cell_yield.find_low_yield_cells(
            arrived, passed.to_arrow().cast(cell_yield.COUNTS), config.cell_yield
        )
        verdicts = [cell_yield.reject_cells(shard.table("kept"), cells) for shard in checked]
        return Outcome(
            {"verdicts": pa.concat_tables([VERDICTS.empty_table(), *verdicts]), "cells": cells},
            Counts(),
        )

    return finish(
        space.shard("cell_yield", "verdicts"),
        identity_of(
            "cell_yield",
            config=config.cell_yield.model_dump(mode="json"),
            generated=[shard.digest for shard in generated],
            checked=[shard.digest for shard in checked],
        ),
        compute,
    )


def relabel_shard(
    space: Workspace,
    config: RunConfig,
    queries: Shard,
    candidates: Shard,
    documents: Sequence[Shard],
) -> Shard:
    """Choose each query's positive among its nearest documents."""
    settings = config.relabel
    engine = held(config.generators[settings.engine]) if settings.enabled else None
    scorers = settings.scorers if settings.enabled else ()
    table = queries.table("kept")
    languages = sorted(set(table["query_language"].to_pylist()))

    folder = space.shard("relabel", queries.folder.name)

    def compute() -> Outcome:
        asker = JournalAsk(config.generators, space.journal, folder)

        def ask(batch: Sequence[ScoreRequest]) -> list[Score]:
            return asker.score(settings.engine, batch) if engine is not None and batch else []

        found = candidates.table("candidates")
        wanted = documents_to_judge(table, found, settings) if engine is not None else None
        rows = corpus_of(documents).rows(table["source_doc_id"] if wanted is None else wanted)
        done = relabel(table, found, rows, settings, ask)
        tables = {"positives": done.positives, "judgments": done.judgments}
        extra = {**done.extra, UNANSWERED: asker.unanswered}
        return Outcome(tables, Counts(table.num_rows, table.num_rows, {}, extra))

    return finish(
        folder,
        identity_of(
            "relabel",
            config=settings.model_dump(mode="json"),
            scorers=[scorer.identity() for scorer in scorers],
            engine=engine.identity() if engine is not None else {},
            revision=engine.revision() if engine is not None else "",
            prompts={f"{s.name}/{t}": s.prompt_sha256(t) for s in scorers for t in languages},
            queries=queries.digest,
            candidates=candidates.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def mine_shard(
    space: Workspace,
    config: RunConfig,
    candidates: Shard,
    positives: Shard,
    documents: Sequence[Shard],
    proposed: Shard | None = None,
) -> Shard:
    """Mine the hard negatives of one shard of queries from the whole corpus.

    Args:
        space: The run's folders.
        config: The run.
        candidates: Of retrieve.
        positives: Of relabel.
        documents: The corpus.
        proposed: What other miners propose for the queries of this shard.
    """

    def compute() -> Outcome:
        queries = EmbeddedQueries.from_table(candidates.table("vectors"))
        corpus = open_corpus(space, config, documents)
        result = mine(
            queries,
            positives.table("positives"),
            corpus,
            open_index(space, config, corpus, documents),
            config.mining,
            seed=config.seed,
            extra=_other_proposals(config, proposed, queries, corpus),
        )
        return outcome_of(result)

    shard = finish(
        space.shard("mine", positives.folder.name),
        identity_of(
            "mine",
            config=config.mining.identity(),
            seed=config.seed,
            index=config.index.identity(),
            proposed="" if proposed is None else proposed.digest,
            candidates=candidates.digest,
            positives=positives.digest,
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )
    advance(positives.counts.kept)
    return shard


def _other_proposals(
    config: RunConfig, proposed: Shard | None, queries: EmbeddedQueries, corpus: CorpusView
) -> list[Proposals]:
    """Return what the configured miners propose, after fusion with what was retrieved."""
    if proposed is None:
        return []
    table = proposed.table("proposals")
    sources = [f"dense:{config.encoder.name}", *(m.source for m in config.mining.miners)]
    every = [Proposals.from_scores(table, s, queries.query_ids, corpus) for s in sources]
    return fuse(every, corpus.id_order, config.mining.fusion)[1:]


def _tables(shard: Shard) -> dict[str, pa.Table]:
    return {path.stem: shard.table(path.stem) for path in sorted(shard.folder.glob("*.parquet"))}


def _content(table: pa.Table) -> str:
    """Return a digest of a small table's rows, whatever its chunks."""
    return fingerprint(table.to_pylist())
