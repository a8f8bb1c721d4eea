"""Hashed sets against Python's own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mining.word_sets import CorpusWordSets, WordSets, exceeds, word_sets
from sdg.ids import comparison_key
from tests.mining import visible
from tests.mining.visible import at, document


def _parts(text: str, unit: str, length: int) -> frozenset[str]:
    key = comparison_key(text)
    if unit == "word":
        return frozenset(key.split())
    return frozenset(key[i : i + length] for i in range(max(1, len(key) - length + 1)))


def _set(sets: WordSets, number: int) -> list[int]:
    return sets.hashes[sets.starts[number] : sets.starts[number + 1]].tolist()


TEXTS = st.lists(st.text(st.sampled_from("ab cé 漢字🙂!Ⅳ\n"), max_size=24), min_size=1, max_size=8)


@pytest.mark.parametrize("unit", ["word", "character"])
@hypothesis_settings(max_examples=150, deadline=None)
@given(texts=TEXTS, length=st.integers(1, 6), jaccard=st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_sets_overlap_as_pythons_sets_of_strings_do(
    unit: Literal["word", "character"], texts: list[str], length: int, jaccard: float
) -> None:
    sets = word_sets(texts, unit, length)
    parts = [_parts(text, unit, length) for text in texts]
    for i, one in enumerate(parts):
        left = np.array(_set(sets, i), np.uint64)
        assert len(left) == len(one)
        assert left.tolist() == sorted(set(left.tolist()))
        for j, other in enumerate(parts):
            right = np.array(_set(sets, j), np.uint64)
            assert (left.tolist() == right.tolist()) is (one == other)
            union = len(one | other)
            expected = not union or len(one & other) > jaccard * union
            assert exceeds(left, right, jaccard) is expected


def test_kept_sets_equal_fresh_ones_after_others_were_asked_for_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"word{i} shared {'more ' * (i % 3)}word{i % 4}" for i in range(40)]
    rows = [document(f"d{i:02d}", text) for i, text in enumerate(texts)]
    corpus = visible.corpus(tmp_path, rows, {text: at(0) for text in texts})
    monkeypatch.setattr("mining.word_sets._KEPT_BYTES", 800)
    kept = CorpusWordSets(corpus, "word", 5)
    handed_out = []
    random = np.random.default_rng(0)
    for _ in range(20):
        asked = random.integers(0, 40, 7)
        handed_out.append((asked, *kept.of(asked)))
    for asked, numbers, sets in handed_out:
        for row, number in zip(asked.tolist(), numbers.tolist(), strict=True):
            assert _set(sets, number) == _set(word_sets([texts[row]], "word", 5), 0)
