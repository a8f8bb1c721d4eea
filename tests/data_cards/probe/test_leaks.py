from __future__ import annotations

from data_cards.probe.leaks import find_leaks
from data_cards.probe.rows import TrainRows
from tests.data_cards.probe import made

_LONG = "the long river crosses the northern plain and ends in a cold and shallow sea"
_CORPUS = {
    "d1": ("A loom holds threads.", "g1"),
    "d2": ("Bakers rise before dawn.", "g2"),
    "d3": (_LONG + " today", "g3"),
    "d4": ("The same river, told otherwise.", "g3"),
    "d5": ("A comet returns.", "g5"),
    "d6": ("Its tail is dust.", "g5"),
    "d7": ("Nobody else speaks of this.", ""),
}
_ROWS = [
    ("What is a LOOM?", ["d1"], ["d7"], "g1"),
    ("who rises early", ["d2"], ["d7"], "g2"),
    ("early risers", ["d7"], ["d2"], ""),
    ("which river", ["d3"], ["d7"], "g3"),
    ("the other river", ["d4"], ["d7"], "g3"),
    ("what returns", ["d5"], ["d7"], "g5"),
    ("clean", ["d1"], ["d7"], "g1"),
]


def _train() -> TrainRows:
    return made.train(_ROWS, _CORPUS)


def test_a_row_is_kept_out_for_the_first_reason_that_holds() -> None:
    """Its query, a positive or a negative, a near copy, or a group that one of these is in."""
    evaluation = made.evaluation(
        ["what is a loom", "what is dust"],
        ["BAKERS rise - before dawn", _LONG, "tails"],
        [(0, 0, 1)],
        groups=["", "", "g5"],
    )
    leaks = find_leaks(_train(), evaluation, 0.8)
    assert leaks.reasons.to_list() == [
        "query_equals_eval_query",
        "document_equals_eval_document",
        "document_equals_eval_document",
        "document_nearly_equals_eval_document",
        "group_holds_eval_document",
        "group_holds_eval_document",
        None,
    ]
    assert leaks.documents.tolist() == [False, True, True, True, True, True, False]
    assert leaks.counts() == {
        "query_equals_eval_query": 1,
        "document_equals_eval_document": 2,
        "document_nearly_equals_eval_document": 1,
        "group_holds_eval_document": 2,
    }


def test_documents_without_a_group_are_in_no_group_together() -> None:
    evaluation = made.evaluation(["q"], ["Nobody else speaks of this."], [(0, 0, 1)])
    leaks = find_leaks(made.train([("a", ["d1"], [], "")], _CORPUS), evaluation, 0.8)
    assert leaks.reasons.to_list() == [None]
    assert leaks.documents.tolist() == [False] * 6 + [True]
