from __future__ import annotations

import pytest

from sdg.errors import ContractError, UnknownNameError
from sdg.gates import GATES, Gate, apply_gates
from sdg.schemas import QUERIES, empty
from tests.sdg.rows import document_row, documents_of, queries_of, query_row, reasons

DOCUMENT = documents_of(document_row("d1", "Irena built a footbridge of steel."))


def _gates(*entries: dict[str, object]) -> list[Gate]:
    return [GATES.build(entry) for entry in entries]


def test_the_first_gate_that_rejects_owns_the_row() -> None:
    # Too short for the one, a copy for the other.
    queries = queries_of(query_row("q1", "a footbridge"))
    length, copied = _gates({"gate": "length", "min_words": 3}, {"gate": "copied"})
    assert reasons(apply_gates(queries, DOCUMENT, [length, copied])) == {"q1": "too_few_words"}
    assert reasons(apply_gates(queries, DOCUMENT, [copied, length])) == {"q1": "copied_verbatim"}


def test_a_later_gate_does_not_see_rows_that_an_earlier_one_stopped() -> None:
    # q1 is stopped by likelihood, so q2 is no duplicate any more.
    queries = queries_of(
        query_row("q1", "who built it", mean_logprob=-9.0), query_row("q2", "Who built it?")
    )
    gates = _gates({"gate": "likelihood"}, {"gate": "duplicate"})
    assert reasons(apply_gates(queries, DOCUMENT, gates)) == {"q1": "mean_logprob_below_minimum"}


def test_rejections_hold_the_row_and_what_decided() -> None:
    queries = queries_of(query_row("q1", "bridge"))
    (rejected,) = apply_gates(queries, DOCUMENT, _gates({"gate": "length"})).rejected.to_pylist()
    assert (rejected["stage"], rejected["reason"], rejected["detail"]) == (
        "gate",
        "too_few_words",
        "1",
    )
    assert '"query":"bridge"' in rejected["row"]


def test_no_gates_keep_every_row() -> None:
    queries = queries_of(query_row("q1"), query_row("q2"))
    assert apply_gates(queries, DOCUMENT, []).kept.equals(queries)


def test_no_queries_give_an_empty_result() -> None:
    result = apply_gates(empty(QUERIES), DOCUMENT, _gates({"gate": "length"}))
    assert (result.kept.num_rows, result.rejected.num_rows, result.rows_in) == (0, 0, 0)


def test_all_rows_rejected_by_the_first_gate_leave_nothing_for_the_second() -> None:
    queries = queries_of(query_row("q1", "a"), query_row("q2", "b"))
    result = apply_gates(queries, DOCUMENT, _gates({"gate": "length"}, {"gate": "duplicate"}))
    assert reasons(result) == {"q1": "too_few_words", "q2": "too_few_words"}


def test_a_query_without_its_source_document_is_refused_with_its_id() -> None:
    queries = queries_of(query_row("q1", source_doc_id="d404"))
    with pytest.raises(ContractError, match="d404"):
        apply_gates(queries, DOCUMENT, [])


def test_the_vocabulary_gate_without_vocabularies_is_refused() -> None:
    with pytest.raises(ContractError, match="vocabulary"):
        apply_gates(queries_of(query_row("q1")), DOCUMENT, _gates({"gate": "vocabulary"}))


def test_an_unknown_gate_is_refused_with_the_known_names() -> None:
    with pytest.raises(UnknownNameError, match="length"):
        GATES.build({"gate": "lenght"})


def test_task_patterns_are_globs() -> None:
    queries = queries_of(
        query_row("q1", "a", task="llm_query"), query_row("q2", "b", task="natural")
    )
    gates = _gates({"gate": "length", "tasks": ["llm_*"]})
    assert reasons(apply_gates(queries, DOCUMENT, gates)) == {"q1": "too_few_words"}
