"""What a finished data set says about itself: manifest, statistics, card, checks, its rows.

    <DIR>/data  corpus  rejected  +  manifest.json ──► statistics ──► card (README.md)
                                    │                                  │
                                    └──────────► verify ◄──────────────┘

    layout      names of all paths inside a data set directory, in one place
    manifest    DIR/manifest.json as a typed model; conservation is checked when it is parsed
    records     the parts of the manifest
    privacy     what a configuration must lose before it is published: secrets, hosts, paths
    breakdown   requested, kept and rejected per task, language pair and generator
    statistics  figures computed from the Parquet files
    card        manifest + statistics -> README.md, a pure function; a missing fact makes it fail
    escape      untrusted text inside Markdown
    show        rows for people: kept, or rejected with stage and reason
    verify      every promise of a finished directory, checked on the files themselves

Everything here reads; the flow writes, with `sdg.store`:

    from sdg import assemble, store
    from data_cards import breakdown, card, layout, manifest, privacy, records, statistics, verify

    # QUERIES, POSITIVES, NEGATIVES of exactly the rows that survived; DOCUMENTS of the corpus.
    # `requests`, `parsed` (all QUERIES ever parsed) and `rejections`: of the whole run.
    corpus = assemble.corpus_rows(documents, assemble.used_ids(queries, positives, negatives))
    splits = assemble.assign_splits(assemble.group_table(queries, positives, corpus), config)
    rows = assemble.join_rows(queries, positives, negatives, splits)            # ids only
    for file in assemble.plan_files(rows, corpus, config):                      # PlannedFile
        store.write_parquet(out / layout.DATA / file.name, assemble.fill_texts(file.rows, corpus))
    for file in assemble.plan_corpus_files(corpus, config):
        store.write_parquet(out / layout.CORPUS / file.name, file.rows)
    for file in assemble.plan_rejected_files(rejections, config):
        store.write_parquet(out / layout.REJECTED / file.name, file.rows)

    cells = breakdown.count_cells(requests, parsed, rows["query_id"], rejections)
    m = manifest.checked_manifest({..., "config": privacy.publishable(config_json),
                                   "cells": cells, "files": manifest.file_records(out)})
    store.write_json(out / layout.MANIFEST, m.to_json())
    store.write_text(out / layout.CARD, card.render_card(m, statistics.compute_statistics(out)))
    problems = verify.verify_data_set(out)          # list[Problem], empty if all is well

Signatures:

    sdg.assemble
        AssembleConfig(splits: dict[str, float], seed: int, max_shard_bytes: int)
        used_ids(queries, positives, negatives) -> pa.StringArray
        corpus_rows(documents: pa.Table, used: pa.Array) -> pa.Table                     CORPUS
        group_table(queries, positives, documents) -> pa.Table           (query_id, group_ids)
        assign_splits(groups: pa.Table, config) -> pa.Table                              SPLITS
        join_rows(queries, positives, negatives, splits) -> pa.Table                     ROWS
        plan_files(rows, documents, config) -> list[PlannedFile(name, rows)]
        plan_corpus_files(corpus, config) -> list[PlannedFile]
        plan_rejected_files(rejections, config) -> list[PlannedFile]
        fill_texts(rows: pa.Table, documents: pa.Table) -> pa.Table                      EXAMPLES
        assemble_rows(queries, positives, negatives, documents, splits) -> pa.Table      EXAMPLES
    data_cards
        breakdown.count_cells(requests, queries, kept_ids, rejections) -> tuple[Cell, ...]
        manifest.DataSetManifest (fields: see there), .to_json() -> dict
        manifest.checked_manifest(fields: Mapping) -> DataSetManifest      ContractError if untrue
        manifest.load_manifest(directory: Path) -> DataSetManifest
        manifest.file_records(directory: Path) -> dict[str, FileRecord]
        records.stage_record(name, unit, counts: sdg.shards.Counts) -> StageRecord
        privacy.publishable(config: Mapping) -> dict
        statistics.compute_statistics(directory: Path) -> DataSetStatistics
        card.render_card(manifest, statistics) -> str
        show.kept_rows(directory, *, split=None, limit=10) -> pa.Table                   EXAMPLES
        show.rejected_rows(directory, *, stage=None, reason=None, limit=10) -> pa.Table  REJECTIONS
        show.describe_row(row: Mapping) -> str;  show.printable(text) -> str
        verify.verify_data_set(directory: Path) -> list[Problem(check, message)]
"""
