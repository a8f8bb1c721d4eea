"""Audit metrics, one file each, found by discovery; see `data_cards.audit.metric.Metric`."""
