"""Audit metrics, one per file.

What those on texts share, in `data_cards.audit`:

    sides        occurrences of texts as query, positive, negative; findings about texts
    text_scan    one pass over all different texts, in blocks on a few threads
    folding      texts without case, punctuation and spaces, and their 64-bit keys
    flagged      from texts with a flaw to shares, findings and a table of kinds
    held_out     which rows are outside the training split, and what splits share
    word_runs    distinct-n and self-BLEU
    private      which pieces of a text are personal data or secrets
    histogram    bars and means
"""
