"""Auditing: is this data set any good? Works on any layout, ours or not.

    DIR | file | hub id ─► layouts ─► AuditedSet ─► metrics ─► Measurements ─► gates, metrics.json
                                                                    └─► findings ─► report.html

    audited_set  rows, links, documents, texts: the one shape that metrics see
    layouts/     one file per layout on disk
    metrics/     one file per metric
    measurement  figures with their sample and interval, histograms, findings
    metric       the base class of metrics, and their context
    in_memory    a small data set from tables

To add a metric: one file in `metrics/` that subclasses `Metric` and registers in `METRICS`.
To add a layout: one file in `layouts/`.
"""
