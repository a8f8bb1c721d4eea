"""The stages of documents for queries: embed, retrieve, relabel, mine; see `corpus_stages`."""

from __future__ import annotations

from collections.abc import Sequence

from flows.asking import JournalAsk
from flows.config import RunConfig
from flows.corpus_stages import corpus_of
from flows.progress import advance
from flows.resources import held, opened_corpus
from flows.stage_shards import identity_of, outcome_of, searching
from flows.workspace import Workspace
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries, embed_documents
from mining.indexes import Index
from mining.merge import fuse
from mining.mine import mine
from mining.proposals import Proposals
from mining.retrieve import retrieve
from mining.vectors import VectorStore
from sdg.ids import fingerprint
from sdg.llm import Score, ScoreRequest
from sdg.relabel.positives import documents_to_judge, relabel
from sdg.shards import UNANSWERED, Counts, Outcome, Shard, finish


def embed_corpus(
    space: Workspace, config: RunConfig, documents: Sequence[Shard], name: str = "documents"
) -> Shard:
    """Embed every document that has no vector yet; `name` is the shard's."""
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
        space.shared("embed", name),
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
        searching(compute),
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
            by_preference=config.judge.enabled,
        )
        return outcome_of(result)

    shard = finish(
        space.shard("mine", positives.folder.name),
        identity_of(
            "mine",
            config=config.mining.identity(),
            by_preference=config.judge.enabled,
            seed=config.seed,
            index=config.index.identity(),
            proposed="" if proposed is None else proposed.digest,
            candidates=candidates.digest,
            positives=positives.digest,
            documents=[shard.digest for shard in documents],
        ),
        searching(compute),
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
