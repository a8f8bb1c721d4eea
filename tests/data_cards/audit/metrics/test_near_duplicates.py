"""Near duplicates among queries and among documents."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.near_duplicates import NearDuplicates
from tests.data_cards.audit.written import example, found, written

_LONG = " ".join(f"word{number} stands here" for number in range(60))


def test_a_changed_word_makes_a_near_duplicate_and_an_equal_text_none() -> None:
    data = written(
        example("who wrote the long book about the two rivers", [_LONG]),
        example("Who wrote the long book about the two rivers?", [_LONG.upper()]),
        example("who wrote the long book about the two river", [_LONG + " today"]),
        example("how far is the moon", ["Something else altogether."], split="test"),
    )
    measured = NearDuplicates().measure(data, AuditContext())
    assert {row for row, _ in found(measured.findings, "near_duplicate_query")} == {0, 1, 2}
    assert {d for _, d in found(measured.findings, "near_duplicate_document")} == {0, 1, 2}
    assert measured.figure("near_duplicate_query_share").value == 3 / 4
    assert measured.figure("held_out_near_duplicate_share").value == 0


def test_similarity_is_verified_against_the_bound() -> None:
    """Runs of one character: {a..h} and {a..h, i, j} have Jaccard 8 / 10."""
    data = written(example("abcdefgh", ["x"]), example("abcdefghij", ["y"]))
    for jaccard, share in ((0.79, 1.0), (0.8, 0.0)):
        metric = NearDuplicates(jaccard=jaccard, query_run=1)
        measured = metric.measure(data, AuditContext())
        assert measured.figure("near_duplicate_query_share").value == share


def test_a_held_out_query_that_nearly_is_a_training_query_leaks() -> None:
    data = written(
        example("who wrote the long book about the two rivers", ["a"]),
        example("who wrote the long book about the two river", ["b"], split="validation"),
        example("when was the bridge over the river built", ["c"], split="validation"),
    )
    measured = NearDuplicates().measure(data, AuditContext())
    assert found(measured.findings, "near_duplicate_query_in_other_split") == [(1, -1)]
    assert measured.figure("held_out_near_duplicate_share").value == 0.5


def test_of_a_sample_it_is_said_that_the_share_is_a_lower_bound() -> None:
    data = written(*(example(f"query number {n}", [f"text {n}"]) for n in range(5)))
    measured = NearDuplicates(sample=3).measure(data, AuditContext())
    figure = measured.figure("near_duplicate_query_share")
    assert (figure.sample, figure.population) == (3, 5)
    assert any("lower bounds" in note for note in measured.notes)
