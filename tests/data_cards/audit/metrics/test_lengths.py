"""Lengths of texts, and texts with nothing to see."""

from __future__ import annotations

import pytest

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.lengths import Lengths
from tests.data_cards.audit.written import example, found, written


def test_characters_and_words_are_counted_per_side() -> None:
    data = written(example("ab cd", ["one two three"]), example("abc", ["four"]))
    measured = Lengths().measure(data, AuditContext())
    assert measured.figure("query_characters_median").value == 4
    assert measured.figure("query_words_longest").value == 2
    assert measured.figure("positive_characters_longest").value == 13
    assert measured.figure("positive_words_median").value == 2
    bars = {bar.label: bar.height for bar in measured.histograms[0].bars}
    assert measured.histograms[0].name == "query_characters"
    assert (bars["0"], bars["1 to 9"], bars["10 to 19"]) == (0, 2, 0)


@pytest.mark.parametrize("blank", ["", " \n\t", "\u00a0\u200b", "\x00\x1f", "\u202e"])
def test_a_text_with_nothing_to_see_is_empty(blank: str) -> None:
    data = written(example("q", ["p"], ["n"]), example(blank, ["p"], [blank]))
    measured = Lengths().measure(data, AuditContext())
    assert found(measured.findings, "empty_text") == [(-1, 2), (1, -1)]
    assert measured.figure("empty_query_share").value == 0.5
    assert measured.figure("empty_positive_share").value == 0
    assert measured.figure("empty_negative_share").value == 0.5


@pytest.mark.parametrize("seen", [".", "🙂", "0", "ー"])
def test_a_sign_or_an_emoji_is_something_to_see(seen: str) -> None:
    measured = Lengths().measure(written(example(seen, ["p"])), AuditContext())
    assert measured.finding_counts == {"empty_text": 0}
