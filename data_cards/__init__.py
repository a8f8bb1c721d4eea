"""What a finished data set says about itself: manifest, statistics, card, checks, its rows.

    <DIR>/data  corpus  rejected  +  manifest.json ──► statistics ──► README.md, croissant.json
                                    │                                  │        ▲
                                    └──────────► verify ◄──────────────┘     evidence
                                                                    (DIR/audit, CHANGELOG.md)

    layout      names of all paths inside a data set directory, in one place
    manifest    DIR/manifest.json as a typed model; conservation is checked when it is parsed
    records     the parts of the manifest
    privacy     what a configuration must lose before it is published: secrets, hosts, paths
    breakdown   requested, kept and rejected per task, language pair and generator
    statistics  figures computed from the Parquet files
    publication what only the publisher can say: version, date, creators, intended use
    evidence    what audit and probe found, and whether it is about the present files
    card        manifest + statistics + evidence -> README.md, pure; a missing fact makes it fail
    croissant   manifest + statistics -> croissant.json, pure: Croissant 1.1 with RAI facts
    descriptions  both of them
    diff        what changed between two versions;  changelog  the same as Markdown
    escape      untrusted text inside Markdown
    show        rows for people: kept, or rejected with stage and reason
    verify      every promise of a finished directory, checked on the files themselves

Everything here reads; the flow writes, with `sdg.store`:

    from sdg import assemble, store
    from data_cards import breakdown, descriptions, layout, manifest, privacy, records, verify

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
    for name, text in descriptions.describe(out, m).items():
        store.write_text(out / name, text)
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
        evidence.read_evidence(directory: Path) -> Evidence
        evidence.is_current(files: Mapping | None, manifest) -> bool
        card.render_card(manifest, statistics, evidence) -> str
        croissant.render_croissant(manifest, statistics) -> str
        descriptions.describe(directory, manifest) -> dict[str, str]           file name -> text
        diff.compare_data_sets(old: Path, new: Path, on_rows) -> DataSetDiff
        changelog.render_changes(diff) -> str
        show.kept_rows(directory, *, split=None, limit=10) -> pa.Table                   EXAMPLES
        show.rejected_rows(directory, *, stage=None, reason=None, limit=10) -> pa.Table  REJECTIONS
        show.describe_row(row: Mapping) -> str;  show.printable(text) -> str
        verify.verify_data_set(directory: Path) -> list[Problem(check, message)]
"""
