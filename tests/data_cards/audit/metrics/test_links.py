"""Hubs, changed positives, and counts that must hold."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_cards import layout
from data_cards.audit.in_memory import audited_examples
from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.changed_positives import ChangedPositives
from data_cards.audit.metrics.conservation import Conservation
from data_cards.audit.metrics.hubness import Hubness
from data_cards.manifest import load_manifest
from sdg import store
from tests.data_cards.audit.linked import Link, Row, audited
from tests.data_cards.tiny import write_data_set


def _rows(num: int, hub_every: int = 0) -> list[Row]:
    """Return rows with two negatives each, no document the negative of more than two rows."""
    rows = []
    for n in range(num):
        negatives = [Link(f"d{(n + 1) % num}"), Link(f"d{(n + 2) % num}")]
        if hub_every and n % hub_every == 0:
            negatives[0] = Link("hub")
        rows.append(Row(f"q{n}", [Link(f"d{n}")], negatives))
    return rows


def test_a_document_that_is_the_negative_of_many_rows_is_a_hub() -> None:
    found = Hubness().measure(audited(_rows(200, hub_every=10)), AuditContext())
    assert found.figure("hubs").value == 1
    assert found.figure("largest_row_share").value == 0.1
    assert found.findings.select("row", "value", "detail").rows() == [
        (-1, 0.1, "negative of 20 of 200 rows")
    ]
    assert found.breakdowns[0].lines[0] == ("hub", 20)


def test_evenly_used_negatives_have_no_hub_and_a_gini_of_zero() -> None:
    found = Hubness().measure(audited(_rows(200)), AuditContext())
    assert found.figure("hubs").value == 0
    assert found.figure("gini").value == pytest.approx(0)


def test_gini_of_one_document_that_has_all_negatives_is_one_less_its_own_share() -> None:
    rows = [Row(f"q{n}", [Link(f"d{n}")], [Link("hub")]) for n in range(9)]
    assert Hubness().measure(audited(rows), AuditContext()).figure("gini").value == pytest.approx(
        0.9
    )


def test_a_document_listed_twice_in_one_row_is_the_negative_of_one_row() -> None:
    rows = [Row("q", [Link("p")], [Link("x"), Link("x")])]
    found = Hubness().measure(audited(rows), AuditContext())
    assert found.figure("largest_row_share").value == 1


def test_changed_positives_are_counted_by_language() -> None:
    rows = [
        Row("a", [Link("p")], original="o"),
        Row("b", [Link("p")]),
        Row("c", [Link("p")], language="fra-Latn"),
        Row("d", [Link("p")], language="fra-Latn"),
    ]
    found = ChangedPositives().measure(audited(rows), AuditContext())
    assert found.figure("changed").value == 0.25
    assert found.breakdowns[0].lines == (("eng-Latn", 2, 1, 0.5), ("fra-Latn", 2, 0, 0.0))
    assert "not relabelled" in ChangedPositives().measure(audited(rows[1:]), AuditContext()).skipped


def _violations(directory: Path) -> list[tuple[str, str]]:
    examples = pa.concat_tables(
        pq.read_table(path) for path in layout.parquet_files(directory, layout.DATA)
    )
    data = audited_examples(examples, manifest=load_manifest(directory))
    found = Conservation().measure(data, AuditContext())
    opened = pl.DataFrame(found.findings)
    object.__setattr__(data, "folder", str(directory))
    more = Conservation().measure(data, AuditContext())
    assert more.figure("violations").value >= found.figure("violations").value
    assert opened.height <= more.findings.height
    return more.findings.select("reason", "detail").rows()


def test_a_whole_data_set_breaks_no_promise_and_a_lost_row_is_found(tmp_path: Path) -> None:
    write_data_set(tmp_path)
    assert _violations(tmp_path) == []
    path = layout.parquet_files(tmp_path, layout.DATA)[0]
    store.write_parquet(path, pq.read_table(path).slice(1))
    reasons = {reason for reason, _ in _violations(tmp_path)}
    assert reasons == {"count_differs_from_manifest", "file_differs_from_manifest"}


def test_a_foreign_data_set_has_no_counts_to_check() -> None:
    found = Conservation().measure(audited([Row("a", [Link("p")])]), AuditContext())
    assert found.skipped == "the data set has no manifest"
