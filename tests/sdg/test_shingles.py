from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.shingles import _rows_per_band, band_keys, real_jaccard, shingles_of

texts = st.lists(st.text(alphabet="ab漢 ", min_size=1, max_size=12), min_size=1, max_size=6)


def _ngrams(text: str, length: int) -> set[str]:
    return {text[i : i + length] for i in range(max(len(text) - length + 1, 1))}


@given(texts, st.integers(1, 7))
def test_hashed_ngrams_have_the_jaccard_of_the_ngrams(values: list[str], length: int) -> None:
    shingles = shingles_of(values, length)
    assert len(shingles.offsets) == len(values) + 1
    for left, one in enumerate(values):
        for right, other in enumerate(values):
            a, b = _ngrams(one, length), _ngrams(other, length)
            expected = len(a & b) / len(a | b)
            assert real_jaccard(shingles.as_set(left), shingles.as_set(right)) == expected


def test_a_texts_ngrams_do_not_depend_on_its_neighbours() -> None:
    alone = shingles_of(["abcdefgh"], 5).as_set(0)
    among = shingles_of(["xyz", "abcdefgh", "q"], 5).as_set(1)
    assert alone.tolist() == among.tolist()


@pytest.mark.parametrize("jaccard", [0.5, 0.8, 0.95])
def test_bands_find_nearly_all_pairs_at_the_threshold(jaccard: float) -> None:
    rng = np.random.default_rng(0)
    shared = round(400 * 2 * jaccard / (1 + jaccard))
    found = 0
    for _ in range(100):
        letters = rng.integers(0x4E00, 0x9FFF, 1200)
        left = "".join(map(chr, letters[:400]))
        right = "".join(map(chr, [*letters[:shared], *letters[400 : 800 - shared]]))
        keys = band_keys(shingles_of([left, right], 1), jaccard)
        found += bool((keys[0] == keys[1]).any())
    assert found >= 95


def test_bands_of_unlike_texts_share_no_key() -> None:
    keys = band_keys(shingles_of(["the cat sat on the mat", "Übergangsregelung"], 4), 0.8)
    assert keys.shape[0] == 2
    assert not (keys[0] == keys[1]).any()


@pytest.mark.parametrize("jaccard", [0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_rows_per_band_reach_the_promised_recall(jaccard: float) -> None:
    rows = _rows_per_band(jaccard)
    assert 1 - (1 - jaccard**rows) ** (256 // rows) >= 0.99


def test_no_texts_give_no_keys() -> None:
    assert band_keys(shingles_of([], 24), 0.8).shape == (0, 32)
