"""What languages are called in an English instruction."""

from __future__ import annotations

import pytest

from sdg.errors import ConfigError
from sdg.language import language_tag
from sdg.language_names import english_name


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("deu-Latn", "German"),
        ("jpn-Jpan", "Japanese"),
        ("kor-Kore", "Korean"),
        ("zho-Hans", "Simplified Chinese"),
        ("zho-Hant", "Traditional Chinese"),
        ("srp-Cyrl", "Serbian"),
        ("srp-Latn", "Serbian in Latin script"),
        ("ceb-Latn", "Cebuano"),
    ],
)
def test_a_language_has_its_english_name_and_a_script_only_where_it_is_unusual(
    language: str, name: str
) -> None:
    assert english_name(language) == name


def test_every_language_of_the_detector_has_a_name_without_a_script() -> None:
    codes = (
        "afr ara ben bul ces ell fas heb hye kat kaz mon nob pan swa tam tel tha tur ukr urd vie"
    )
    names = [english_name(language_tag(code)) for code in codes.split()]
    assert not [name for name in names if "script" in name]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("language", ["th", "tha", "tha-thai", "qzz-Latn", "tha-Qzzz", "", "und"])
def test_what_has_no_name_is_refused_with_the_value(language: str) -> None:
    with pytest.raises(ConfigError, match=f"'{language}'"):
        english_name(language)
