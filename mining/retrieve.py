"""Retrieve: each query's nearest documents, and how its own source ranks among all of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mining.corpus import CorpusView
from mining.embed import EmbeddedQueries
from mining.indexes import Index
from mining.search import Floats, Hits, Rows, count_above, pair_scores, search
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
    hits = search(queries.vectors, corpus, index, min(top_k, len(corpus)))
    above = (hits.scores > source_scores[:, None]).sum(axis=1)
    # Where the source is in the list, so is everything above it; only the others need a pass.
    outside = np.flatnonzero(~(hits.rows == sources[:, None]).any(axis=1))
    if len(outside):
        above[outside] = count_above(queries.vectors[outside], source_scores[outside], corpus)
    return _table(queries, corpus, hits, source_scores, above)


def _table(
    queries: EmbeddedQueries, corpus: CorpusView, hits: Hits, source_scores: Floats, above: Rows
) -> pa.Table:
    num_queries, depth = hits.rows.shape
    offsets = pa.array(np.arange(num_queries + 1, dtype=np.int32) * depth)
    ids = corpus.doc_ids.take(pa.array(hits.rows.ravel())).cast(pa.string())
    ranks = np.tile(np.arange(depth, dtype=np.int32), num_queries)
    return pa.table(
        {
            "query_id": queries.query_ids,
            "source_doc_id": queries.source_doc_ids,
            "source_score": source_scores,
            "docs_above": above.astype(np.int32),
            "doc_ids": pa.ListArray.from_arrays(offsets, ids),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(hits.scores.ravel())),
            "ranks": pa.ListArray.from_arrays(offsets, pa.array(ranks)),
            "source": [f"dense:{corpus.vectors.encoder.name}"] * num_queries,
        },
        schema=CANDIDATES,
    )
