"""The stages of `pairmill mine`: given pairs and documents in, finished shards out.

read_corpus ─► read_given_pairs ─► embed_given ─► embed_queries ─► mine_given
documents      queries,            vectors of     vectors of       hard negatives
and keys       positives           documents      a shard
"""

from __future__ import annotations

from collections.abc import Sequence

from flows.given_tables import attributes_of
from flows.given_vectors import given_documents, given_queries, vectors_identity
from flows.mine_config import CorpusSettings, MineConfig
from flows.progress import advance
from flows.resources import held, opened_corpus
from flows.stage_shards import identity_of
from flows.workspace import Workspace
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries, embed_documents
from mining.vectors import Vectors, VectorStore
from sdg.ids import fingerprint
from sdg.shards import Counts, Outcome, Shard, finish


def embed_given(space: Workspace, config: CorpusSettings, documents: Sequence[Shard]) -> Shard:
    """Embed every document that has no vector yet, or check the vectors that were given."""
    total = sum(shard.counts.kept for shard in documents)

    def compute() -> Outcome:
        if config.vectors is not None:
            report = given_documents(space, config.vectors, documents).check()
            advance(total)
            return Outcome({}, Counts(total, total), {"zeros": report.zeros})
        paths = [shard.folder / "kept.parquet" for shard in documents]
        made = embed_documents(_store(space, config), paths, advance).to_json()
        return Outcome({}, Counts(total, total), {"truncated": made.get("truncated", 0)})

    return finish(
        space.shared("embed", "documents"),
        identity_of(
            "embed",
            vectors=vectors_identity(config),
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def embed_queries(space: Workspace, config: MineConfig, pairs: Shard, num_pairs: int) -> Shard:
    """Embed one shard of queries, or take their given vectors.

    Args:
        space: The run's folders.
        config: The run.
        pairs: The shard.
        num_pairs: Rows of the whole source of pairs.
    """

    def compute() -> Outcome:
        table = pairs.table("kept")
        if config.vectors is None:
            embedded = EmbeddedQueries.embed(table, held(config.encoder))
        else:
            rows = pairs.table("pair_rows")["pair_rows"].combine_chunks()
            embedded = EmbeddedQueries(
                table["query_id"].to_pylist(),
                table["query"].to_pylist(),
                table["query_language"].to_pylist(),
                table["source_doc_id"].to_pylist(),
                given_queries(space, config.vectors, rows, num_pairs),
            )
        count = table.num_rows
        advance(count)
        extra = {"queries_truncated": embedded.truncated} if embedded.truncated else {}
        return Outcome({"vectors": embedded.to_table()}, Counts(count, count, {}, extra))

    return finish(
        space.shard("embed_queries", pairs.folder.name),
        identity_of("embed_queries", vectors=vectors_identity(config), pairs=pairs.digest),
        compute,
    )


def open_given_corpus(
    space: Workspace, config: CorpusSettings, documents: Sequence[Shard]
) -> CorpusView:
    """Return the searchable corpus, opened once per process."""
    paths = [shard.folder / "kept.parquet" for shard in documents]
    beside = [shard.folder / "attributes.parquet" for shard in documents]

    def open_() -> CorpusView:
        vectors: Vectors
        if config.vectors is None:
            vectors = _store(space, config)
        else:
            vectors = given_documents(space, config.vectors, documents)
        return CorpusView.open(paths, vectors, beside if attributes_of(config) else ())

    key = [str(space.vectors), vectors_identity(config), [shard.digest for shard in documents]]
    return opened_corpus(fingerprint(key), open_)


def _store(space: Workspace, config: CorpusSettings) -> VectorStore:
    return VectorStore(space.vectors, held(config.encoder), "document", config.vector_dtype)
