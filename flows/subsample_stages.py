"""The stage of `pairmill subsample` that is its own: what any miner finds near the top.

read_corpus ─► read_given_pairs ─► embed_given ─► embed_queries ─► find_near
documents      queries, positives  vectors        vectors          rows of the corpus, by miner
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.given_miners import open_given_index
from flows.given_stages import open_given_corpus
from flows.given_vectors import vectors_identity
from flows.mine_config import MineConfig
from flows.miners import corpus_files, miners_identity
from flows.progress import advance
from flows.resources import held
from flows.stage_shards import identity_of
from flows.workspace import Workspace
from mining.embed import EmbeddedQueries
from mining.search import Wanted
from mining.subsample import Rows, distinct
from sdg.shards import Counts, Outcome, Shard, finish

# Rows of the corpus that a miner found for any query of the shard, each once, ascending.
NEAR = pa.schema([("miner", pa.string()), ("row", pa.int64())])


def find_near(
    space: Workspace,
    config: MineConfig,
    top_n: int,
    pairs: Shard,
    embedded: Shard,
    documents: Sequence[Shard],
) -> Shard:
    """Find what each miner has near the top for one shard of queries; table "near".

    Args:
        space: The run's folders.
        config: The run; its miners propose as many as they are asked for there.
        top_n: Nearest documents of each query by the encoder.
        pairs: The shard of queries and positives.
        embedded: Its vectors.
        documents: The corpus.
    """
    files = corpus_files(space, documents)

    def compute() -> Outcome:
        queries = EmbeddedQueries.from_table(embedded.table("vectors"))
        corpus = open_given_corpus(space, config, documents)
        index = open_given_index(space, config, corpus, documents)
        count = len(queries.query_ids)
        wanted = Wanted.nearest(min(top_n, len(corpus)), count)
        near = {corpus.miner: distinct(index.search(queries.vectors, corpus, wanted).rows)}
        cut = 0
        for miner in map(held, config.mining.miners):
            near[miner.source] = distinct(miner.propose(queries.texts, corpus, files).rows)
            cut += miner.count_truncated(queries.texts)
        advance(count)
        extra = {"queries_truncated": cut} if cut else {}
        return Outcome({"near": _table(near)}, Counts(count, count, {}, extra))

    return finish(
        space.shard("near", pairs.folder.name),
        identity_of(
            "near",
            top_n=top_n,
            miners=miners_identity(config),
            index=config.index.identity(),
            vectors=vectors_identity(config),
            queries=embedded.digest,
            documents=files.fingerprint,
        ),
        compute,
    )


def near_of_all(found: Sequence[Shard], miners: Sequence[str]) -> dict[str, Rows]:
    """Return miner -> rows that it found for any query of the run, each once, ascending."""
    tables = [NEAR.empty_table(), *(shard.table("near") for shard in found)]
    near = pa.concat_tables(tables)
    own = {miner: near.filter(pc.equal(near["miner"], miner)) for miner in miners}
    return {miner: distinct(table["row"].to_numpy()) for miner, table in own.items()}


def _table(near: Mapping[str, Rows]) -> pa.Table:
    names = np.repeat(list(near), [len(rows) for rows in near.values()])
    return pa.table([pa.array(names), np.concatenate([*near.values()])], schema=NEAR)
