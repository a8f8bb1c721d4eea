"""What a data set teaches: a small encoder before and after training on it, on other people's data.

    data set (train) ──► leaks ──► kept rows ──► arms ──► training ──┐
    BEIR directory ────────┘                                         ▼
                      └──────────────► ranking ◄──── vectors before and after
                                          ▼
                          metrics ──► bootstrap ──► results (audit/probe.json)

    config        the settings, with the source of each default
    beir          a BEIR directory, read and written
    near_texts    which of many texts are nearly equal to one of many others
    leaks         rows that evaluation documents or queries are in, kept out of training
    rows          the train split: queries, positives, stored negatives
    batches       which rows a step sees; no two of them share a document or a group
    arms          the negatives of each arm: none, random, naive, percent, judged
    encoder       the only file that loads, trains and asks a model
    static_model  token vectors out of a package, as a model that can be trained
    ranking       vectors -> the best documents of each query
    metrics       nDCG@10 and Recall@100 of each query
    bootstrap     means with intervals, paired over queries
    results       probe.json as typed records
    eval_set      documents and what people wrote beside them -> an evaluation set

All arms see the same queries and positives in the same batches for as many steps from the same
start; only the negatives beside them differ.
"""
