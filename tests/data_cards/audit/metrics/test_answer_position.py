"""Where in the positive the query's words stand."""

from __future__ import annotations

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.answer_position import AnswerPosition
from tests.data_cards.audit.written import example, written

_TEN = "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9"


def _ten(prefix: str) -> str:
    return _TEN.replace("w", prefix)


def test_each_query_weighs_the_same_wherever_its_words_stand() -> None:
    data = written(example("a0", [_ten("a")]), example("b2 b9", [_ten("b")]))
    measured = AnswerPosition().measure(data, AuditContext())
    assert measured.figure("first_third_share").value == (1 + 0.5) / 2
    heights = [bar.height for bar in measured.histograms[0].bars]
    assert heights == [0.5, 0, 0.25, 0, 0, 0, 0, 0, 0, 0.25]


def test_words_of_many_positives_short_positives_and_later_positives_do_not_count() -> None:
    rows = [example(f"the c{n}0", [f"{_ten(f'c{n}')} the"]) for n in range(20)]
    data = written(*rows, example("short", ["a short one"]), example("z9", ["x " * 12, _ten("z")]))
    measured = AnswerPosition().measure(data, AuditContext())
    assert measured.figure("rows_with_match_share").value == 20 / 22
    # "the" stands at the end everywhere and does not count; what counts stands first.
    assert measured.histograms[0].bars[0].height == 1


def test_without_a_shared_word_it_is_skipped() -> None:
    measured = AnswerPosition().measure(written(example("q", [_TEN])), AuditContext())
    assert measured.skipped == "no query shares a content word with its positive"
