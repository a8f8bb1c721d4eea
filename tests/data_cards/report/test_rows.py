"""Which rows the report page shows."""

from __future__ import annotations

from data_cards.report.rows import MAX_CHARACTERS, MAX_DOCUMENTS, MAX_ROWS, browsable_rows
from tests.data_cards.report.made import audited, example, findings


def test_rows_with_findings_come_first_and_carry_their_reasons() -> None:
    data = audited([example(n, f"query {n}") for n in range(5)])
    hub = data.links.filter(row=4)["document"][2]
    found = browsable_rows(data, findings(3, 1, document=hub), 7)
    rows = found.payload["rows"]
    assert [row["id"] for row in rows] == [f"q-{n:06d}" for n in (1, 4, 3, 0, 2)]
    assert found.payload["reasons"] == ["made.hub_document", "made.odd_query"]
    assert [row["why"] for row in rows] == [[1], [0], [1], [], []]
    assert [document[8] for document in rows[1]["docs"]] == [[], [], [0]]
    assert (found.shown, found.total, found.with_findings) == (5, 5, 3)


def test_documents_keep_role_score_rank_and_text() -> None:
    found = browsable_rows(audited([example(0, "query")]), findings(), 7)
    texts, docs = found.payload["texts"], found.payload["rows"][0]["docs"]
    assert [[d[0], texts[d[1]], *d[2:8]] for d in docs] == [
        [1, "The positive of row 0.", "d-0", "eng-Latn", 0.9, None, "", None],
        [0, "Negative 0 of row 0.", "d-0-0", "fra-Latn", 0.5, 3, "dense:hashing", None],
        [0, "Negative 1 of row 0.", "d-0-1", "fra-Latn", 0.4, -1, "dense:hashing", None],
    ]


def test_a_large_data_set_is_sampled_the_same_way_each_time_and_keeps_its_worst() -> None:
    data = audited([example(n, f"query {n}", 0) for n in range(MAX_ROWS + 500)])
    first = browsable_rows(data, findings(MAX_ROWS + 499), 7)
    assert first.payload == browsable_rows(data, findings(MAX_ROWS + 499), 7).payload
    assert (first.shown, first.total) == (MAX_ROWS, MAX_ROWS + 500)
    assert first.payload["rows"][0]["id"] == f"q-{MAX_ROWS + 499:06d}"
    ids = [row["id"] for row in first.payload["rows"]]
    assert len(set(ids)) == MAX_ROWS
    assert ids != [row["id"] for row in browsable_rows(data, findings(), 8).payload["rows"]]


def test_long_texts_and_long_lists_are_cut_and_say_so() -> None:
    data = audited([example(0, "x" * 1_000_000, MAX_DOCUMENTS + 3)])
    payload = browsable_rows(data, findings(), 7).payload
    left = 1_000_000 - MAX_CHARACTERS
    assert payload["texts"][0] == "x" * MAX_CHARACTERS + f" … ({left:,} more characters)"
    assert payload["rows"][0]["more"] == 4
    assert len(payload["rows"][0]["docs"]) == MAX_DOCUMENTS
