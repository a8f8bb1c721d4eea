"""Which written documents may join the corpus, and which queries fall with theirs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as checked_with
from hypothesis import strategies as st

from sdg.schemas import DOCUMENTS, LINKS, table_of
from sdg.written import Checked, WrittenConfig, check_written
from tests.sdg.rows import document_row, documents_of, queries_of, query_row

FRENCH = "Ce pont de pierre fut construit par le meunier du village après la grande inondation."
TEXTS = {
    "p": "The footbridge was built by the miller.",
    "near": "the FOOTBRIDGE was built; by the miller",
    "n1": "The footbridge was painted by the mayor.",
    "n2": "Herring is salted in the harbour.",
    "echo": "Who built the bridge?",
    "french": FRENCH,
    "empty": "",
    "source": "A long report on bridges.",
}
CONFIG = WrittenConfig(among=("eng-Latn", "fra-Latn"))
Row = tuple[str, str, str]


def check(
    *links: Row,
    queries: dict[str, str] | None = None,
    in_corpus: tuple[str, ...] = ("source",),
    **more: Any,
) -> Checked:
    """Return what is left of (query, document, role); `queries` are query -> source document."""
    sources = {"q": "p"} if queries is None else queries
    rows = {name: document_row(name, text, source="generated:m") for name, text in TEXTS.items()}
    return check_written(
        queries_of(
            *(query_row(q, TEXTS["echo"], source_doc_id=d) for q, d in sources.items()),
        ),
        table_of((dict(zip(LINKS.names, (*link, None), strict=True)) for link in links), LINKS),
        documents_of(*(row for name, row in rows.items() if name != "source")),
        documents_of(*(rows[name] for name in in_corpus)),
        CONFIG,
        **more,
    )


def kept(found: Checked) -> list[str]:
    return [str(doc_id) for doc_id in found.result.kept["doc_id"].to_pylist()]


def reasons(found: Checked) -> dict[str, str]:
    rejected = found.result.rejected
    pairs = zip(rejected["row_id"].to_pylist(), rejected["reason"].to_pylist(), strict=True)
    return dict(pairs)


def test_good_documents_join_the_corpus_once_and_by_id() -> None:
    found = check(
        ("q", "p", "positive"),
        ("q", "n2", "negative"),
        ("q", "n1", "negative"),
        ("r", "n2", "negative"),
        queries={"q": "p", "r": "source"},
    )
    assert kept(found) == ["p", "n2", "n1", "n2"]
    assert found.documents["doc_id"].to_pylist() == ["n1", "n2", "p"]
    assert found.documents.schema.equals(DOCUMENTS)
    assert (found.result.rejected.num_rows, found.verdicts.num_rows) == (0, 0)


def test_what_the_corpus_has_does_not_join_it_again() -> None:
    found = check(("q", "p", "positive"), ("q", "n1", "negative"), in_corpus=("source", "n1"))
    assert kept(found) == ["p", "n1"]
    assert found.documents["doc_id"].to_pylist() == ["p"]


@pytest.mark.parametrize(
    ("doc_id", "reason"),
    [
        ("empty", "empty_text"),
        ("french", "not_in_asked_language"),
        ("echo", "equals_query"),
        ("near", "near_positive"),
        ("p", "near_positive"),
    ],
)
def test_a_bad_negative_leaves_alone(doc_id: str, reason: str) -> None:
    found = check(("q", "p", "positive"), ("q", doc_id, "negative"), ("q", "n1", "negative"))
    assert kept(found) == ["p", "n1"]
    assert reasons(found) == {f"q-{doc_id}": reason}
    assert found.verdicts.num_rows == 0


def test_a_bad_positive_takes_the_query_with_it_and_all_that_was_written_for_it() -> None:
    found = check(("q", "french", "positive"), ("q", "n1", "negative"), queries={"q": "french"})
    assert kept(found) == []
    assert found.documents.num_rows == 0
    assert reasons(found) == {"q-french": "not_in_asked_language", "q-n1": "query_was_rejected"}
    (verdict,) = found.verdicts.to_pylist()
    assert (verdict["query_id"], verdict["reason"]) == ("q", "positive_was_rejected")
    assert verdict["detail"].startswith("not_in_asked_language asked for eng-Latn, detected fra-L")


def test_an_accepted_query_stays_and_keeps_what_is_good_of_what_was_written_for_it() -> None:
    found = check(("q", "french", "positive"), ("q", "n1", "negative"), queries_stand=True)
    assert kept(found) == ["n1"]
    assert reasons(found) == {"q-french": "not_in_asked_language"}
    assert found.verdicts.num_rows == 0


def test_a_written_document_of_an_evaluation_set_joins_no_corpus() -> None:
    blocked = {"p": ("in_evaluation_set_e", "d7"), "n1": ("in_evaluation_set_e", "d8")}
    found = check(
        ("q", "p", "positive"),
        ("q", "n2", "negative"),
        ("r", "n1", "negative"),
        ("r", "n2", "negative"),
        queries={"q": "p", "r": "source"},
        blocked=blocked,
    )
    assert found.documents["doc_id"].to_pylist() == ["n2"]
    assert reasons(found) == {
        "q-p": "in_evaluation_set_e",
        "q-n2": "query_was_rejected",
        "r-n1": "in_evaluation_set_e",
    }
    assert found.verdicts["detail"].to_pylist() == ["in_evaluation_set_e d7"]


def test_what_was_written_for_a_rejected_query_joins_no_corpus() -> None:
    found = check(("gone", "n1", "negative"), ("gone", "p", "positive"))
    assert reasons(found) == {"gone-n1": "query_was_rejected", "gone-p": "query_was_rejected"}
    assert found.documents.num_rows == 0


def test_nothing_gives_nothing() -> None:
    found = check()
    assert (found.result.rows_in, found.documents.num_rows, found.verdicts.num_rows) == (0, 0, 0)


_LINKS = st.lists(
    st.tuples(
        st.sampled_from(["q", "r", "gone"]),
        st.sampled_from(sorted(TEXTS)),
        st.sampled_from(["positive", "negative"]),
    ),
    max_size=8,
)


@checked_with(max_examples=25, deadline=None)
@given(_LINKS, st.booleans())
def test_every_link_is_kept_or_rejected_and_only_kept_ones_bring_documents(
    links: list[Row], stand: bool
) -> None:
    queries = {"q": "p", "r": "source"}
    found = check(*links, queries=queries, queries_stand=stand)
    assert found.result.kept.num_rows + found.result.rejected.num_rows == len(links)
    assert found.documents["doc_id"].to_pylist() == sorted(set(kept(found)) - {"source"})
    fallen = set(found.verdicts["query_id"].to_pylist())
    assert not fallen & set(found.result.kept["query_id"].to_pylist())
    assert not (stand and fallen)
    # No positive of a query is among its negatives.
    rows = found.result.kept.to_pylist()
    positives = {(row["query_id"], row["doc_id"]) for row in rows if row["role"] == "positive"}
    positives |= set(queries.items())
    assert not positives & {
        (row["query_id"], row["doc_id"]) for row in rows if row["role"] == "negative"
    }


@given(st.permutations([("q", "p", "positive"), ("r", "n1", "negative"), ("a", "n2", "negative")]))
@checked_with(max_examples=6, deadline=None)
def test_the_order_of_queries_changes_nothing(links: list[Row]) -> None:
    found = check(*links, queries={"q": "p", "r": "source", "a": "source"})
    assert found.result.kept["query_id"].to_pylist() == ["a", "q", "r"]
    assert isinstance(found.documents, pa.Table)
    assert found.documents["doc_id"].to_pylist() == ["n1", "n2", "p"]
