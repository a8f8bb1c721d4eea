from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdg import language
from sdg.errors import ConfigError
from sdg.language import confidence_in, identify_languages, language_tag, verify_languages
from sdg.scripts import dominant_scripts

ENGLISH = "The lighthouse keeper climbed the stairs every evening and lit the great lamp."
FRENCH = "Le gardien du phare montait chaque soir l'escalier et allumait la grande lampe."
SPANISH = "El guardián del faro subía la escalera cada noche y encendía la gran lámpara."
# Enough foreign names for the quick look, few enough for a reader.
NAMES = (
    "Johannes Marius Aurelius was an Augustinian friar and a canonist from Ravenna. Marius "
    "Aurelius, Gaius Severus and Titus Fabius are among the magistri of Bologna. He is "
    "remembered for his letters, which his pupils copied and read aloud to each other. Whoever "
    "wants to know what people ate, wore and sang in those days should read them first."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(ENGLISH, "eng-Latn", id="english"),
        pytest.param(FRENCH, "fra-Latn", id="french"),
        pytest.param(SPANISH, "spa-Latn", id="spanish"),
        pytest.param("Сторож каждый вечер зажигал большую лампу маяка.", "rus-Cyrl", id="russian"),
        pytest.param("灯台守は毎晩、大きなランプに火をともした。", "jpn-Jpan", id="japanese"),
        pytest.param("守塔人每天晚上点亮那盏大灯。", "zho-Hans", id="chinese"),
        pytest.param("등대지기는 매일 저녁 큰 등불을 켰다.", "kor-Kore", id="korean"),
        pytest.param("كان حارس المنارة يشعل المصباح الكبير كل مساء", "ara-Arab", id="arabic"),
        pytest.param("Κάθε βράδυ άναβαν τη μεγάλη λάμπα.", "ell-Grek", id="greek"),
        pytest.param("שומר המגדלור הדליק כל ערב את המנורה", "heb-Hebr", id="hebrew"),
        pytest.param("คนเฝ้าประภาคารจุดตะเกียงทุกเย็น", "tha-Thai", id="thai"),
        pytest.param("2026-11-21 :: 3,14 + 2 = ?", "und", id="no letters"),
        pytest.param("", "und", id="empty"),
        pytest.param("የብርሃን ቤት ጠባቂ", "und", id="a language the detector does not know"),
    ],
)
def test_identify_languages_names_language_and_script(text: str, expected: str) -> None:
    (found,) = identify_languages([text])
    assert found.language == expected
    assert (found.score > 0) is (expected != "und")


def test_identify_languages_keeps_the_order_of_the_texts() -> None:
    found = identify_languages([FRENCH, "", ENGLISH, SPANISH])
    assert [f.language for f in found] == ["fra-Latn", "und", "eng-Latn", "spa-Latn"]
    assert identify_languages([]) == []


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(max_size=40), max_size=4))
def test_scores_lie_between_0_and_1_whatever_the_text(texts: list[str]) -> None:
    scores = [found.score for found in identify_languages(texts)]
    assert len(scores) == len(texts)
    assert all(0 <= score <= 1 for score in scores)


def test_confidence_in_is_high_for_the_right_language_and_low_for_another() -> None:
    found = confidence_in([ENGLISH, ENGLISH, FRENCH], ["eng-Latn", "fra-Latn", "fra-Latn"])
    assert found.dtype == np.float32
    assert found[0] > 0.7
    assert found[1] < 0.01
    assert found[2] > 0.9


def test_confidence_in_is_0_in_another_script_and_nan_for_an_unknown_language() -> None:
    found = confidence_in([ENGLISH, ENGLISH, "..."], ["eng-Cyrl", "amh-Ethi", "eng-Latn"])
    assert found[0] == 0
    assert np.isnan(found[1])
    assert found[2] == 0


def test_traditional_characters_count_as_chinese() -> None:
    assert confidence_in(["守塔人每天晚上點亮那盞大燈。"], ["zho-Hant"])[0] > 0.9


def test_among_makes_a_short_query_surer_and_hides_other_languages() -> None:
    query = ["what is the capital of peru"]
    open_score = confidence_in(query, ["eng-Latn"])[0]
    closed_score = confidence_in(query, ["eng-Latn"], among=["eng-Latn", "fra-Latn"])[0]
    assert closed_score > open_score
    assert identify_languages([SPANISH], among=["en", "fr"])[0].language != "spa-Latn"
    assert np.isnan(confidence_in([SPANISH], ["spa-Latn"], among=["en", "fr"])[0])


@pytest.mark.parametrize("among", [["eng-Latn"], ["eng-Latn", "amh-Ethi"]])
def test_among_needs_two_known_languages(among: list[str]) -> None:
    with pytest.raises(ConfigError, match="`among` must hold at least two languages"):
        confidence_in([ENGLISH], ["eng-Latn"], among=among)


def test_verify_languages_looks_again_before_it_believes_that_english_is_latin() -> None:
    quick = identify_languages([NAMES], 200)[0]
    (verified,) = verify_languages([NAMES], ["eng-Latn"], 200)
    assert quick.language == "lat-Latn"
    assert quick.score > 0.65
    assert verified.detected.language == "eng-Latn"
    assert verified.detected.score == verified.claimed_score


def test_verify_languages_contradicts_a_wrong_claim() -> None:
    first, second = verify_languages([FRENCH, SPANISH], ["eng-Latn", ""])
    assert first.detected.language == "fra-Latn"
    assert first.claimed_score < 0.1
    assert second.detected.language == "spa-Latn"
    assert np.isnan(second.claimed_score)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("fr", "fra-Latn"),
        ("fra", "fra-Latn"),
        ("fr-FR", "fra-Latn"),
        ("EN_us", "eng-Latn"),
        ("ru", "rus-Cyrl"),
        ("ja", "jpn-Jpan"),
        ("zh", "zho-Hans"),
        ("amh-Ethi", "amh-Ethi"),
        ("und", "und"),
    ],
)
def test_language_tag_completes_usual_forms(written: str, expected: str) -> None:
    assert language_tag(written) == expected


def test_language_tag_refuses_what_is_no_language() -> None:
    with pytest.raises(ConfigError, match="is 'klingon' instead"):
        language_tag("klingon")


def test_every_language_of_the_detector_has_a_two_letter_code_and_a_script() -> None:
    codes = language._two_letter_codes()
    assert len(codes) == 75
    assert {language.two_letter_code(language_tag(code)) for code in codes} == set(codes.values())


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("abc гдеж", "Cyrl"),
        ("abcd где", "Latn"),
        ("カタ漢", "Kana"),
        ("x" * 3 + "漢字漢字", "Hani"),
        ("123 !?", ""),
        ("\ud800abc", "Latn"),
    ],
)
def test_dominant_scripts_counts_letters_only(text: str, script: str) -> None:
    assert dominant_scripts(["", text, "abc"]) == ["", script, "Latn"]
