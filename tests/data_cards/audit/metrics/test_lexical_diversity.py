"""Distinct-n, self-BLEU and openings."""

from __future__ import annotations

import math
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_cards.audit.metric import AuditContext
from data_cards.audit.metrics.lexical_diversity import LexicalDiversity
from data_cards.audit.word_runs import distinct_share, self_bleu
from tests.data_cards.audit.written import example, written


def _naive_bleu(words: list[str], others: list[list[str]]) -> float:
    """BLEU-4 as the paper writes it, with 0.1 for no match and no more n-grams than words."""
    logs = []
    for length in range(1, min(4, len(words)) + 1):
        own = Counter(tuple(words[i : i + length]) for i in range(len(words) - length + 1))
        clipped = 0
        for run, count in own.items():
            most = max(
                sum(tuple(o[i : i + length]) == run for i in range(len(o) - length + 1))
                for o in others
            )
            clipped += min(count, most)
        logs.append(math.log((clipped or 0.1) / sum(own.values())))
    nearest = min((abs(len(o) - len(words)), len(o)) for o in others)[1]
    penalty = 1.0 if len(words) >= nearest else math.exp(1 - nearest / len(words))
    return penalty * math.exp(sum(logs) / len(logs))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=7), min_size=2, max_size=6))
def test_self_bleu_equals_the_formula_written_out(texts: list[list[str]]) -> None:
    expected = [_naive_bleu(own, texts[:i] + texts[i + 1 :]) for i, own in enumerate(texts)]
    series = pl.Series(texts, dtype=pl.List(pl.String))
    assert self_bleu(series) == pytest.approx(sum(expected) / len(expected))


def test_equal_texts_have_a_self_bleu_of_one_and_one_text_has_none() -> None:
    text = ["a", "b", "c", "d", "e"]
    assert self_bleu(pl.Series([text, text])) == pytest.approx(1)
    assert self_bleu(pl.Series([text])) == 0


def test_distinct_n_divides_different_runs_by_all() -> None:
    words = pl.Series([["a", "b", "a"], ["a", "b"], []], dtype=pl.List(pl.String))
    assert distinct_share(words, 1) == 2 / 5
    assert distinct_share(words, 2) == 2 / 3
    assert distinct_share(words, 4) == 0


def test_cells_are_tasks_and_languages_and_openings_their_first_three_words() -> None:
    rows = [example(f"what is the {n}", ["p"]) for n in range(3)]
    data = written(*rows, example("une autre", ["p"], language="fra-Latn"))
    measured = LexicalDiversity().measure(data, AuditContext())
    cells, openings = measured.breakdowns
    assert [line[:4] for line in cells.lines] == [("t", "eng-Latn", 3, 3), ("t", "fra-Latn", 1, 1)]
    assert openings.lines == (
        ("t", "eng-Latn", "what is the", 3, 1.0),
        ("t", "fra-Latn", "une autre", 1, 1.0),
    )
    english, french = (3 + 3) / 12, 1.0
    assert measured.figure("distinct_1").value == pytest.approx((3 * english + french) / 4)
