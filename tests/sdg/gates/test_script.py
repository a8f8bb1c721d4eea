"""Letters: of every language that prompts are planned for, and of none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from sdg.gates import GATES, apply_gates
from sdg.scripts import shares_in
from tests.sdg.rows import document_row, documents_of, queries_of, query_row, reasons

# One question each, in the letters of its language, and the same kind of question in others.
SENTENCES = {
    "ara-Arab": "من الذي بنى الجسر القديم فوق النهر في القرن السابع عشر؟",
    "deu-Latn": "Wer hat im siebzehnten Jahrhundert die alte Brücke über den Fluss gebaut?",
    "eng-Latn": "Who built the old bridge over the river in the seventeenth century?",
    "fra-Latn": "Qui a construit le vieux pont sur la rivière au dix-septième siècle ?",
    "hin-Deva": "सत्रहवीं शताब्दी में नदी पर पुराना पुल किसने बनवाया था?",
    "ita-Latn": "Chi ha costruito il vecchio ponte sul fiume nel diciassettesimo secolo?",
    "jpn-Jpan": "十七世紀に川に架かる古い橋を建てたのは誰ですか?",
    "kor-Kore": "17세기에 강 위에 오래된 다리를 지은 사람은 누구입니까?",
    "por-Latn": "Quem construiu a ponte velha sobre o rio no século dezessete?",
    "rus-Cyrl": "Кто построил старый мост через реку в семнадцатом веке?",
    "spa-Latn": "¿Quién construyó el puente viejo sobre el río en el siglo diecisiete?",
    "zho-Hans": "十七世纪是谁在这条河上建造了那座古老的桥？",
}
TRANSLITERATED = {
    "ara-Arab": "man alladhi bana al-jisr al-qadim fawqa an-nahr",
    "hin-Deva": "satrahvin shatabdi mein nadi par purana pul kisne banvaya tha",
    "jpn-Jpan": "juunana seiki ni kawa ni kakaru furui hashi wo tateta no wa dare",
    "kor-Kore": "sipchil segie gang wie oraedoen darireul jieun saram",
    "rus-Cyrl": "kto postroil staryy most cherez reku v semnadtsatom veke",
    "zho-Hans": "shiqi shiji shi shei jianzao le na zuo gulao de qiao",
}


def _reason(entry: Mapping[str, object], query: str, language: str) -> str:
    queries = queries_of(query_row("q1", query, query_language=language))
    done = apply_gates(queries, documents_of(document_row()), [GATES.build(entry)])
    return reasons(done).get("q1", "")


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_a_sentence_passes_the_gates_in_its_own_language(language: str) -> None:
    entry = {"gate": "language", "among": sorted(SENTENCES)}
    assert _reason(entry, SENTENCES[language], language) == ""
    assert _reason({"gate": "script"}, SENTENCES[language], language) == ""


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_no_sentence_passes_the_language_gate_as_another_language(language: str) -> None:
    entry = {"gate": "language", "among": sorted(SENTENCES)}
    for other in sorted(SENTENCES.keys() - {language}):
        assert _reason(entry, SENTENCES[language], other) in {
            "not_in_query_language",
            "query_language_unsure",
        }, other


@pytest.mark.parametrize("language", sorted(TRANSLITERATED))
def test_latin_letters_are_stopped_where_a_language_has_its_own(language: str) -> None:
    query = TRANSLITERATED[language]
    assert _reason({"gate": "script"}, query, language) == "not_in_script_of_language"
    assert _reason({"gate": "script"}, query, f"{language[:3]}-Latn") == ""


@pytest.mark.parametrize(
    ("query", "language", "min_share", "reason"),
    [
        pytest.param("абв abc", "rus-Cyrl", 0.5, "", id="at the bound"),
        pytest.param("абв abcd", "rus-Cyrl", 0.5, "not_in_script_of_language", id="below it"),
        pytest.param("WhatsApp में संदेश कैसे भेजें", "hin-Deva", 0.5, "", id="a name in Latin letters"),
        pytest.param("東京タワーはどこ", "jpn-Jpan", 1.0, "", id="kana and Chinese characters"),
        pytest.param("서울 漢江", "kor-Kore", 1.0, "", id="hangul and Chinese characters"),
        pytest.param("漢字", "zho-Hant", 1.0, "", id="the letters of Hant are Hani"),
        pytest.param("1939-1945?", "hin-Deva", 1.0, "", id="no letters"),
        pytest.param("", "hin-Deva", 1.0, "", id="nothing"),
        pytest.param("abc", "und", 1.0, "", id="no script in the tag"),
        pytest.param("abc", "xxx-Zyyy", 1.0, "", id="a script without a table"),
        pytest.param("abc", "hin-Deva", 0.0, "", id="off"),
    ],
)  # fmt: skip
def test_the_share_of_letters_decides(
    query: str, language: str, min_share: float, reason: str
) -> None:
    assert _reason({"gate": "script", "min_share": min_share}, query, language) == reason


def test_shares_are_counted_row_by_row() -> None:
    totals, shares = shares_in(["ab вг", "かな漢a", "12", "ab"], ["Cyrl", "Jpan", "Latn", "Zyyy"])
    np.testing.assert_array_equal(totals, [4, 4, 0, 2])
    np.testing.assert_array_equal(shares, [0.5, 0.75, np.nan, np.nan])
    assert shares_in([], [])[1].shape == (0,)
