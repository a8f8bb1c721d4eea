"""Retrieve: each query's nearest documents, and how its own source ranks among all of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.indexes import Index
from mining.search import Floats, Found, Wanted, pair_scores
from sdg.schemas import CANDIDATES


def retrieve(queries: EmbeddedQueries, corpus: CorpusView, index: Index, *, top_k: int) -> pa.Table:
    """Return CANDIDATES: one row per query, in the order of `queries`.

    `docs_above` is the exact rank of the source among all N documents, also beyond `top_k`.

    Args:
        queries: Q queries with vectors.
        corpus: N documents.
        index: Back-end.
        top_k: Candidates per query; fewer where N is smaller.
    """
    if not queries.query_ids:
        return CANDIDATES.empty_table()
    sources = corpus.rows_of(queries.source_doc_ids)
    places = np.arange(len(sources))
    source_scores = pair_scores(queries.vectors, corpus, places, sources)
    nearest = Wanted.nearest(min(top_k, len(corpus)), len(sources))
    found = index.search(queries.vectors, corpus, nearest._replace(rank_scores=source_scores))
    return _table(queries, corpus, found, source_scores)


def _table(
    queries: EmbeddedQueries, corpus: CorpusView, found: Found, source_scores: Floats
) -> pa.Table:
    num_queries, depth = found.rows.shape
    offsets = pa.array(np.arange(num_queries + 1, dtype=np.int32) * depth)
    ids = corpus.doc_ids.take(pa.array(found.rows.ravel())).cast(pa.string())
    ranks = np.tile(np.arange(depth, dtype=np.int32), num_queries)
    return pa.table(
        {
            "query_id": queries.query_ids,
            "source_doc_id": queries.source_doc_ids,
            "source_score": source_scores,
            "docs_above": found.above_rank.astype(np.int32),
            "doc_ids": pa.ListArray.from_arrays(offsets, ids),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(found.scores.ravel())),
            "ranks": pa.ListArray.from_arrays(offsets, pa.array(ranks)),
            "source": [f"dense:{corpus.vectors.encoder.name}"] * num_queries,
        },
        schema=CANDIDATES,
    )
