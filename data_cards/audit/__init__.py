"""Auditing: is this data set any good? Works on any layout, ours or not.

    DIR | file | hub id ─► layouts ─► AuditedSet ─► metrics ─► Measurements ─► gates, metrics.json
                                                                    └─► findings ─► report.html

    source       what a layout hands on: rows and documents with their texts, block by block
    table_files  Parquet and JSON Lines of other tools, with errors that name file and line
    open_source  source ──► AuditedSet; texts go into a mapped file (text_file), never into memory
    audited_set  rows, links, documents, texts: the one shape that metrics see
    layouts/     one file per layout on disk; recognised by `layouts.detect`
    metrics/     one file per metric
    measurement  figures with their sample and interval, histograms, findings
    metric       the base class of metrics, and their context
    in_memory    a small data set from tables
    config       the settings
    gates        limits on figures
    run          all metrics ──► metrics.json, findings.parquet

To add a metric: one file in `metrics/` that subclasses `Metric` and registers in `METRICS`.
To add a layout: one file in `layouts/` that subclasses `Layout` and registers in `LAYOUTS`.
"""
