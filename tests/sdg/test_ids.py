from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.ids import (
    canonical_json,
    comparison_key,
    content_id,
    fingerprint,
    normalise_text,
    seed_for,
)

any_text = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=80)


@given(any_text)
def test_normalise_text_changes_nothing_the_second_time(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once


@given(any_text)
def test_normalised_text_is_nfc_utf8_without_control_characters(text: str) -> None:
    result = normalise_text(text)
    assert unicodedata.is_normalized("NFC", result)
    assert result.encode("utf-8").decode("utf-8") == result
    assert [c for c in result if unicodedata.category(c) == "Cc" and c != "\n"] == []


def test_normalise_text_folds_spaces_and_keeps_one_blank_line() -> None:
    assert normalise_text(" a \t b\r\n\r\n\r\n\r\nc\rd ") == "a b\n\nc\nd"


@given(any_text)
def test_comparison_key_of_a_key_is_the_key(text: str) -> None:
    key = comparison_key(text)
    assert comparison_key(key) == key


def test_comparison_key_ignores_case_punctuation_and_encoding_of_accents() -> None:
    assert comparison_key("Élan, vital!") == comparison_key("e\u0301LAN  vital")


def test_comparison_key_keeps_two_emoji_apart() -> None:
    assert comparison_key("🙂") != comparison_key("🙁")


@given(st.lists(st.text(max_size=8), max_size=4), st.lists(st.text(max_size=8), max_size=4))
def test_content_ids_are_equal_only_for_equal_parts(left: list[str], right: list[str]) -> None:
    assert (content_id("d", *left) == content_id("d", *right)) == (left == right)


def test_content_id_is_the_prefix_and_32_hex_digits_that_never_change() -> None:
    assert content_id("d", "text") == "d19d513484e1b0b6fbf8c2197a8ce5473"
    assert content_id("", "text") == "19d513484e1b0b6fbf8c2197a8ce5473"


def test_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


@given(st.integers(), st.text(max_size=8), st.text(max_size=8))
def test_seed_for_is_a_63_bit_number_that_depends_on_the_row(
    seed: int, left: str, right: str
) -> None:
    assert 0 <= seed_for(seed, left) < 2**63
    assert (seed_for(seed, left) == seed_for(seed, right)) == (left == right)


def test_vowel_signs_count_and_signs_between_words_do_not() -> None:
    assert comparison_key("की") != comparison_key("का")
    assert comparison_key("हिन्दी, भाषा।") == "हिन्दी भाषा"
    assert comparison_key("I \u2764\ufe0f it's") == "i it s"
    assert comparison_key("\u2764\ufe0f") != comparison_key("\u2600\ufe0f")
