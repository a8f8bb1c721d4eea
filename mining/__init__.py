"""Hard negatives: vectors, exact search, rules, selection.

    texts ─► encoders/ ─► vectors.VectorStore ─► corpus.CorpusView ─┐
                     └──► embed.EmbeddedQueries ────────────────────┤
                                          indexes/ (one block) ◄────┤
                                                                    ▼
              retrieve.retrieve ─► CANDIDATES         mine.mine ─► NEGATIVES + rejections
                                                          └ filters/ (one rule per file), select

How a flow calls it (paths, shards and manifests are the caller's)::

    encoder = ENCODERS.build({"encoder": "use_multilingual"})
    index = INDEXES.build({"index": "faiss_flat"})          # or "exact"

    # Once per run; only what is missing is embedded.
    store = VectorStore(work / "vectors", encoder, "document")
    embed_documents(store, document_paths)                  # Parquet files, schema DOCUMENTS
    corpus = CorpusView.open(document_paths, store)

    # Per shard of 100 to 1,000 queries.
    queries = EmbeddedQueries.embed(table, encoder)         # schema QUERIES
    candidates = retrieve(queries, corpus, index, top_k=100)            # schema CANDIDATES
    result = mine(queries, positives, corpus, index, MiningConfig(), seed=7)
    # StageResult; kept: NEGATIVES, rows_in = rows of `positives` (schema POSITIVES)

What decides the result: `encoder.identity()` and `encoder.revision()`, `index.identity()`,
`MiningConfig().identity()`, the seed, the corpus and the positives.

Why back-ends only propose rows: scores are computed again in one way and sorted by (score, id), so
FAISS and numpy give the same bytes, and a tie never depends on who searched.

Limits today: a `CorpusView` holds ids, texts and codes of all documents in memory (vectors stay on
disk), and the bound of the rules is applied after a search that deepens until a query is filled.
"""
