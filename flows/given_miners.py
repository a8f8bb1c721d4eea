"""Mining given pairs: what other miners propose, what approximate indexes find, negatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from flows.given_stages import open_given_corpus
from flows.given_vectors import vectors_identity
from flows.mine_config import CorpusSettings, MineConfig
from flows.miners import (
    corpus_files,
    miners_identity,
    recall_fact,
    recall_of_miners,
    sampled_queries,
)
from flows.progress import advance
from flows.resources import held
from flows.stage_shards import identity_of, outcome_of, searching
from flows.workspace import Workspace
from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.in_document import in_document_candidates
from mining.indexes import Index
from mining.merge import fuse, merge
from mining.mine import MiningConfig, mine
from mining.proposals import Proposals
from mining.recall import measure_recall
from mining.retrieve import retrieve
from sdg.errors import DataError
from sdg.ids import fingerprint
from sdg.shards import Counts, Outcome, Shard, finish

# Where the encoder's own documents are ranked for fusion with other miners'; 100 is E5-Mistral's.
DEPTH = 100


def open_given_index(
    space: Workspace, config: CorpusSettings, corpus: CorpusView, documents: Sequence[Shard]
) -> Index:
    """Return the index, ready to search `corpus`; an approximate one is built once and kept."""
    index = held(config.index)
    made_of = [vectors_identity(config), [shard.digest for shard in documents]]
    index.prepare(corpus, space.indexes, fingerprint(made_of))
    return index


def propose_given(
    space: Workspace, config: MineConfig, pairs: Shard, embedded: Shard, documents: Sequence[Shard]
) -> Shard:
    """Ask every miner beside the encoder about one shard of queries; table "proposals"."""
    files = corpus_files(space, documents)

    def compute() -> Outcome:
        queries = EmbeddedQueries.from_table(embedded.table("vectors"))
        corpus = open_given_corpus(space, config, documents)
        index = open_given_index(space, config, corpus, documents)
        own = retrieve(queries, corpus, index, top_k=DEPTH)
        found = [Proposals.from_candidates(own, corpus.miner, corpus)]
        cut = 0
        for miner in map(held, config.mining.miners):
            found.append(miner.propose(queries.texts, corpus, files))
            cut += miner.count_truncated(queries.texts)
        table = merge(found, corpus.id_order).table(queries.query_ids, corpus.doc_ids)
        count = len(queries.query_ids)
        advance(count)
        extra = {"queries_truncated": cut} if cut else {}
        return Outcome({"proposals": table}, Counts(count, count, {}, extra))

    return finish(
        space.shard("propose", pairs.folder.name),
        identity_of(
            "propose",
            miners=miners_identity(config),
            index=config.index.identity(),
            pairs=pairs.digest,
            vectors=vectors_identity(config),
            queries=embedded.digest,
            documents=files.fingerprint,
        ),
        searching(compute),
    )


def measure_given_recall(
    space: Workspace,
    config: MineConfig,
    embedded: Sequence[Shard],
    documents: Sequence[Shard],
    depth: int = DEPTH,
) -> Shard:
    """Measure on a sample of the queries what each approximate index finds; see `flows.miners`.

    Args:
        space: The run's folders.
        config: The run.
        embedded: Queries with vectors.
        documents: The corpus.
        depth: Nearest documents that the encoder's own index is asked for.
    """

    def compute() -> Outcome:
        queries = sampled_queries(embedded, config.seed)
        facts: dict[str, Any] = {}
        corpus = open_given_corpus(space, config, documents)
        if not config.index.is_exact:
            index = open_given_index(space, config, corpus, documents)
            measured = measure_recall(queries.vectors, corpus, index, depth)
            facts[corpus.miner] = recall_fact(index.describe(), measured)
        facts |= recall_of_miners(config, queries, corpus_files(space, documents))
        return Outcome({}, Counts(), facts)

    return finish(
        space.shared("recall", "all"),
        identity_of(
            "recall",
            depth=depth,
            seed=config.seed,
            index=config.index.identity(),
            miners=miners_identity(config),
            vectors=vectors_identity(config),
            found=[shard.digest for shard in embedded],
            documents=[shard.digest for shard in documents],
        ),
        compute,
    )


def mine_given(
    space: Workspace,
    config: MineConfig,
    mining: MiningConfig,
    pairs: Shard,
    embedded: Shard,
    documents: Sequence[Shard],
    proposed: Shard | None = None,
) -> Shard:
    """Mine the hard negatives of one shard of queries from the whole corpus.

    Args:
        space: The run's folders.
        config: The run.
        mining: Rules and selection; with a judge, of the pool that it judges.
        pairs: The shard of queries and positives.
        embedded: Its vectors.
        documents: The corpus.
        proposed: What other miners propose for these queries.
    """

    def compute() -> Outcome:
        queries = EmbeddedQueries.from_table(embedded.table("vectors"))
        corpus = open_given_corpus(space, config, documents)
        result = mine(
            queries,
            pairs.table("positives"),
            corpus,
            open_given_index(space, config, corpus, documents),
            mining,
            seed=config.seed,
            extra=other_proposals(config, proposed, pairs, queries, corpus),
            by_preference=config.judge.enabled,
        )
        return outcome_of(result)

    shard = finish(
        space.shard("mine", pairs.folder.name),
        identity_of(
            "mine",
            config=mining.identity(),
            by_preference=config.judge.enabled,
            seed=config.seed,
            index=config.index.identity(),
            in_document=config.in_document,
            proposed="" if proposed is None else proposed.digest,
            pairs=pairs.digest,
            # A digest is of content: that of the queries' vectors says nothing of the documents'.
            vectors=vectors_identity(config),
            queries=embedded.digest,
            documents=[shard.digest for shard in documents],
        ),
        searching(compute),
    )
    advance(pairs.counts.kept)
    return shard


def other_proposals(
    config: MineConfig,
    proposed: Shard | None,
    pairs: Shard,
    queries: EmbeddedQueries,
    corpus: CorpusView,
) -> list[Proposals]:
    """Return the candidates of one shard that the encoder's own search does not give.

    Args:
        config: The run.
        proposed: Of `propose_given`, if there are miners.
        pairs: The shard of queries and positives.
        queries: The same queries with vectors.
        corpus: Searched.
    """
    found: list[Proposals] = []
    if proposed is not None:
        table = proposed.table("proposals")
        sources = [corpus.miner, *(miner.source for miner in config.mining.miners)]
        every = [Proposals.from_scores(table, s, queries.query_ids, corpus) for s in sources]
        found = fuse(every, corpus.id_order, config.mining.fusion)[1:]
    if config.in_document:
        _check_chunks(corpus)
        ids = pairs.table("positives")["positive_ids"].combine_chunks()
        ends = np.cumsum(np.asarray(pc.list_value_length(ids), np.int64))
        rows = np.split(corpus.rows_of(ids.flatten().to_pylist()), ends[:-1])
        found.append(in_document_candidates(rows, corpus, config.in_document))
    return found


def _check_chunks(corpus: CorpusView) -> None:
    _, counts = np.unique(corpus.parent[corpus.parent >= 0], return_counts=True)
    if counts.max(initial=0) < 2:
        raise DataError(
            f"`in_document` must find documents with several chunks, but each of the {len(corpus)} "
            "rows of the corpus is a document of its own instead. Give it the columns `parent_id` "
            "and `chunk_index`, or name yours with `corpus.parent_column` and "
            "`corpus.chunk_index_column`; `in_document: 0` does without."
        )
