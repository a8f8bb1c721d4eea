"""Shared contracts of Pairmill, and everything on the LLM side of it.

Contracts (every package may import these)
    errors     the exception tree and the exit status of each branch
    ids        text normalisation and content-hash ids
    schemas    one Arrow schema per table that crosses a stage border
    part       base class of every configuration part
    registry   name -> class, filled by importing a folder
    store      atomic, deterministic Parquet and JSON on disk
    shards     a shard is finished exactly when its manifest is complete

Stages (pure: tables in, `StageResult` out)
    corpus/    documents from any source: read, normalise, identify, chunk, deduplicate, group
    plan       a seeded, stratified choice of documents and a spec for each
    tasks/     what is asked of the LLM: one file per task
    llm/       who is asked: one file per engine, and the request journal
    gates/     which queries may go on: one rule per file
    relabel/   which document is the best positive: one scorer per file

Why no base class for stages: every stage has its own inputs; what they share is `StageResult`, the
conservation law it checks, and `shards.finish`, which decides whether it has to run at all.
"""
