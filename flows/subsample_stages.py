"""The stage of `pairmill subsample` that is its own: what any miner finds near the top.

read_corpus ─► read_given_pairs ─► embed_given ─► embed_queries ─► find_near
documents      queries, positives  vectors        vectors          rows of the corpus, by miner
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from flows.given_miners import open_given_index
from flows.given_stages import open_given_corpus
from flows.given_vectors import vectors_identity
from flows.mine_config import MineConfig
from flows.miners import corpus_files, miners_identity
from flows.progress import advance
from flows.resources import held
from flows.stage_shards import identity_of, searching
from flows.workspace import Workspace
from mining.embed import EmbeddedQueries
from mining.search import Wanted
from mining.subsample import Rows, distinct
from sdg.shards import Counts, Outcome, Shard, finish

# Rows of the corpus that a miner found for any query of the shard, each once, ascending.
NEAR = pa.schema([("miner", pa.dictionary(pa.int32(), pa.string())), ("row", pa.int64())])


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
        searching(compute),
    )


def near_of_all(
    found: Sequence[Shard], miners: Sequence[str], num_documents: int
) -> dict[str, Rows]:
    """Return miner -> rows that it found for any query of the run, each once, ascending.

    One shard is in memory at a time, beside one byte per document and miner.

    Args:
        found: Shards of `find_near`.
        miners: Their names.
        num_documents: Of the corpus; all rows are below it.
    """
    is_near = {miner: np.zeros(num_documents, np.bool_) for miner in miners}
    for shard in found:
        for batch in shard.table("near").to_batches():
            names, rows = batch["miner"], batch["row"].to_numpy()
            codes = names.indices.to_numpy()
            for code, miner in enumerate(names.dictionary.to_pylist()):
                is_near[miner][rows[codes == code]] = True
    return {miner: np.flatnonzero(marks) for miner, marks in is_near.items()}


def _table(near: Mapping[str, Rows]) -> pa.Table:
    codes = np.repeat(np.arange(len(near), dtype=np.int32), [len(rows) for rows in near.values()])
    names = pa.DictionaryArray.from_arrays(codes, pa.array(list(near), pa.string()))
    return pa.table([names, np.concatenate([*near.values()])], schema=NEAR)
