"""Pairs and corpora that people already have -> the tables that mining takes.

    corpus files ─► tables ─► documents ─► DOCUMENTS + keys ─► corpus_index ─┐
    pair files ───► tables ─► columns ─► pairs ◄─────────────────────────────┘
                                          ├─► QUERIES + POSITIVES, one row per distinct query
                                          ├─► DOCUMENTS that only the pairs know
                                          └─► rejections, one per pair that stopped

Texts are normalised as everywhere (`ids.normalise_text`), so a positive that is given as text is
found in the corpus however its white space and accents are encoded. Rows are converted a batch at a
time; the distinct queries and the keys of the corpus (32 bytes a document) are in memory at once.
"""
