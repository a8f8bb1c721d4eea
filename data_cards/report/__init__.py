"""The report page: one file that shows what an audit found, without a network.

    AuditedSet, metrics.json, findings ─► rows (a sample, worst first) ─► page ─► report.html

    charts   histograms as bars in a table, so that a screen reader reads the same numbers
    funnel   what each stage kept and rejected, from the manifest
    rows     the rows that can be browsed, as JSON
    page     the template filled

What people or models wrote never becomes markup: the template escapes every value, and the script
builds rows with text nodes only. The page's own policy forbids every script but the one it carries,
every request, and every form.
"""

from data_cards.report.page import render_report

__all__ = ["render_report"]
