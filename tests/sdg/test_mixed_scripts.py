"""Latin names in texts of other scripts, and Japanese without kana."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.language import confidence_in, verify_languages
from sdg.mixed_scripts import may_be_japanese, without_latin_names


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("PythonでJSONを読む", "で を読む"),
        ("Épée-Boisée की कहानी", "की कहानी"),
        ("как работает pip", "как работает pip"),
        ("what is JSON", "what is"),
        ("iPhone 15 Pro", "iPhone 15 Pro"),
        ("", ""),
    ],
)
def test_only_latin_words_with_a_capital_are_taken_out(text: str, rest: str) -> None:
    assert without_latin_names(text, "Jpan").split() == rest.split()


@given(st.text())
def test_nothing_is_taken_out_of_a_text_in_latin_script(text: str) -> None:
    assert without_latin_names(text, "Latn") == text


@given(st.text())
def test_a_text_with_letters_keeps_some(text: str) -> None:
    kept = without_latin_names(text, "Hans")
    assert any(map(str.isalpha, kept)) is any(map(str.isalpha, text))


@pytest.mark.parametrize(
    ("text", "may_be"),
    [
        ("東京都人口推移", True),
        ("明治維新", True),
        ("人々", True),
        ("青铜成分", False),
        ("为什么", False),
        ("東京とは", False),
        ("Tokyo 東京", False),
        ("1978", False),
        ("", False),
    ],
)
def test_han_letters_may_be_japanese_if_japan_writes_them_all(text: str, may_be: bool) -> None:
    assert may_be_japanese(text) is may_be


def test_of_japanese_without_kana_nothing_is_claimed_either_way() -> None:
    (look,) = verify_languages(["東京都人口推移"], ["jpn-Jpan"])
    assert look.detected.language == "zho-Hans"
    assert np.isnan(look.claimed_score)
    assert confidence_in(["青铜成分"], ["jpn-Jpan"])[0] == 0
    assert confidence_in(["東京都人口推移"], ["zho-Hans"])[0] == 1
