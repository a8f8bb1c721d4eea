"""Negatives that are right: which are known, and what a judge's sample says."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.false_negatives import FalseNegatives
from tests.data_cards.audit.linked import Link, Row, TextJudge, audited

WORDS = "one two three four five six seven eight nine ten"


def _reasons(rows: list[Row], corpus: list[dict[str, str]] | None = None) -> list[tuple[str, int]]:
    found = FalseNegatives().measure(audited(rows, corpus or []), AuditContext())
    return sorted(found.findings.select("reason", "row").rows())


def test_a_negative_with_the_words_of_its_own_positive_is_known() -> None:
    rows = [Row("a", [Link("p", "The Cat.")], [Link("x", "the  cat"), Link("y", "the dog")])]
    assert _reasons(rows) == [("equals_its_positive", 0)]


def test_a_negative_that_answers_an_equal_query_elsewhere_is_known() -> None:
    rows = [
        Row("What is it?", [Link("p")], [Link("r"), Link("x")]),
        Row("what is  it", [Link("r")], [Link("x")]),
        Row("what is that", [Link("x")], [Link("r")]),
    ]
    assert _reasons(rows) == [("positive_of_equal_query", 0)]


def test_a_negative_that_shares_most_words_with_its_positive_is_known() -> None:
    rows = [
        Row("a", [Link("p", WORDS)], [Link("x", f"{WORDS} eleven"), Link("y", f"{WORDS[:20]} z")]),
        # Near a positive of another row only.
        Row("b", [Link("r", "other words")], [Link("z", f"{WORDS} twelve")]),
    ]
    assert _reasons(rows) == [("nearly_equals_positive", 0)]


def test_translations_chunks_and_copies_of_the_positive_are_known_unless_drawn_from_it() -> None:
    kin = {"p": ("e", "pa", "g"), "x": ("e", "", ""), "y": ("", "pa", ""), "z": ("", "", "g")}
    kin["w"] = ("", "pa", "g")
    corpus = [
        {"doc_id": i, "text": i, "entity_key": e, "parent_id": p, "group_id": g}
        for i, (e, p, g) in kin.items()
    ]
    negatives = [Link("x"), Link("y"), Link("z"), Link("w", source="in_document")]
    assert _reasons([Row("a", [Link("p")], negatives)], corpus) == [
        ("same_entity_as_positive", 0),
        ("same_group_as_positive", 0),
        ("same_parent_as_positive", 0),
    ]


def test_documents_of_unknown_entity_are_not_of_the_same_entity() -> None:
    assert _reasons([Row("a", [Link("p")], [Link("x")])]) == []


def test_without_a_judge_the_rate_is_the_known_one_and_says_so() -> None:
    rows = [Row("a", [Link("p", "cat")], [Link("x", "Cat"), *map(Link, "wyz")])]
    found = FalseNegatives().measure(audited(rows), AuditContext())
    head = found.figure("false_negative_rate")
    assert (head.value, head.low) == (0.25, None)
    assert "no judge" in head.label
    assert found.figure("known_false_negative_rate").value == 0.25


def test_the_judge_sees_one_negative_of_each_row_and_unreadable_verdicts_leave_the_sample() -> None:
    rows = [
        Row(f"q{n}", [Link(f"p{n}"), Link(f"r{n}")], [Link(f"x{n}"), Link(f"y{n}")])
        for n in range(8)
    ]
    judge = TextJudge(frozenset({"x0", "y0", "x1", "y1"}), frozenset({"x2", "y2"}))
    found = FalseNegatives().measure(audited(rows), AuditContext(judge=judge))
    assert [case.query for case in judge.seen] == [f"q{n}" for n in range(8)]
    assert [case.positive for case in judge.seen] == [f"p{n}" for n in range(8)]
    assert len({case.candidate[0] for case in judge.seen}) == 2
    head = found.figure("false_negative_rate")
    assert (head.value, head.sample, head.population) == (2 / 7, 7, 16)
    assert head.low is not None and head.high is not None
    assert head.low < 2 / 7 < head.high
    assert head.label == "judged by texts"
    assert found.figure("judge_unreadable").value == 1
    assert found.figure("known_false_negative_rate").value == 0
    assert found.findings["row"].to_list() == [0, 1]


def test_a_judge_that_nobody_can_read_gives_no_rate_rather_than_zero() -> None:
    rows = [Row(f"q{n}", [Link(f"p{n}")], [Link(f"x{n}")]) for n in range(3)]
    judge = TextJudge(frozenset(), frozenset({"x0", "x1", "x2"}))
    found = FalseNegatives().measure(audited(rows), AuditContext(judge=judge))
    assert [figure.name for figure in found.figures] == [
        "known_false_negative_rate",
        "judge_unreadable",
    ]
    unreadable = found.figure("judge_unreadable")
    assert (unreadable.value, unreadable.population) == (3, 3)


def test_near_copies_are_estimated_on_a_sample_of_large_sets_with_an_interval() -> None:
    rows = [
        Row(f"q{n}", [Link(f"p{n}", f"{WORDS} {n}")], [Link(f"x{n}", f"{WORDS} {n} z"), Link("y")])
        for n in range(40)
    ]
    found = FalseNegatives(near_sample=40).measure(audited(rows), AuditContext())
    known = found.figure("known_false_negative_rate")
    assert known.sample == 40 and known.population == 80
    assert known.low is not None and known.high is not None
    assert known.low <= 0.5 <= known.high
    assert found.notes == ("40 of 80 negatives were compared word by word with positives.",)


def test_rows_with_more_known_false_negatives_come_first() -> None:
    rows = [
        Row("a", [Link("p", "cat")], [Link("x", "Cat"), Link("y")]),
        Row("b", [Link("r", "dog")], [Link("z", "Dog"), Link("w", "DOG")]),
    ]
    found = FalseNegatives().measure(audited(rows), AuditContext())
    assert found.findings["row"].to_list() == [1, 1, 0]
