"""Hard negatives: vectors, exact search inside bounds, rules, selection.

    texts ─► encoders/ ─► vectors ─► corpus.CorpusView ─┐
                     └──► embed.EmbeddedQueries ────────┤
                                                        ▼
      known (positives, scored first) ─► candidates ─► indexes/ ─► scan ─► kernels
                                             │            └ screens: products with a stated error
                                             ▼
                     filters/ (one rule per file) ─► select ─► mine.mine ─► NEGATIVES + rejections

How a flow calls it (paths, shards and manifests are the caller's)::

    encoder = ENCODERS.build({"encoder": "use_multilingual"})
    index = INDEXES.build({"index": "torch"})               # or "faiss_flat", "exact", "auto"

    # Once per run; only what is missing is embedded.
    store = VectorStore(work / "vectors", encoder, "document")
    embed_documents(store, document_paths)                  # Parquet files, schema DOCUMENTS
    corpus = CorpusView.open(document_paths, store)

    # Per shard of queries.
    queries = EmbeddedQueries.embed(table, encoder)         # schema QUERIES
    candidates = retrieve(queries, corpus, index, top_k=100)            # schema CANDIDATES
    result = mine(queries, positives, corpus, index, MiningConfig(), seed=7)
    # StageResult; kept: NEGATIVES, rows_in = rows of `positives` (schema POSITIVES)

What decides the result: `encoder.identity()` and `encoder.revision()`, `index.identity()`,
`MiningConfig().identity()`, the seed, the corpus and the positives.

Why threshold first: the positives are known, so their scores are too, and the bound of a query
(95 % of its positive) is known before the search. A list of the nearest 100 to which the bound is
applied afterwards may be empty then; the best documents below the bound never are. k falls to what
is needed, and the rank of each negative is the number of documents above the bound plus its place.

Why the scan decides exactly: products are made in whatever arithmetic is fast, 8-bit integers where
the processor has them, with a bound on how far off they are that always holds (`screens`); with
AVX-512 VNNI they are compared before they are written, one bit a pair (`kernels.vnni`). Only
pairs that this leaves open are scored again, in one way (`kernels.exact_score`), and sorted by
(score, id): numpy, PyTorch and FAISS give the same bytes, and a tie never depends on who searched.
Rejected: a threshold on rounded scores with a fixed band for rescoring, which overflows for weak
positives; a window that deepens, which FAISS still needs, because it knows no bound.
"""
