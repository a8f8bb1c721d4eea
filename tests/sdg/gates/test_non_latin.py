"""Gates on queries in scripts without spaces between words, and in others than Latin."""

from __future__ import annotations

import pytest

from sdg.gates import GATES, apply_gates
from tests.sdg.rows import document_row, documents_of, queries_of, query_row, reasons

JAPANESE = "『硝子の果樹園』は、トマス・アルヴェルが1978年に発表した長編小説で、三姉妹を描く。"
TOWN = "ポート・セルウィックは、マーレン島の北岸にある漁業の町である。"
CHINESE = "青铜是铜与约十分之一的锡熔合而成的合金。它比这两种金属都硬，易于熔化铸造。"
KOREAN = "포트 셀윅은 마렌섬 북쪽 해안에 있는 어촌 도시이다. 19세기에 절인 청어로 부유해졌다."
HINDI = "काँसा ताँबे की मिश्रधातु है जिसमें लगभग दसवाँ हिस्सा टिन होता है।"


def stopped(gate: str, language: str, query: str, text: str = "x") -> str:
    """Return why the gate with its defaults stops the query, or ""."""
    documents = documents_of(document_row("d1", text, language=language))
    queries = queries_of(
        query_row("q1", query, query_language=language, document_language=language)
    )
    return reasons(apply_gates(queries, documents, [GATES.build({"gate": gate})])).get("q1", "")


@pytest.mark.parametrize(
    ("language", "query", "reason"),
    [
        ("jpn-Jpan", "青銅", "too_few_characters"),
        ("jpn-Jpan", "青銅とは何か", ""),
        ("zho-Hans", "青铜由哪些金属混合而成", ""),
        ("zho-Hans", "的" * 129, "too_many_characters"),
        ("kor-Kore", "청동은 어떤 금속을 섞어 만드는가", ""),
        ("hin-Deva", "काँसा कैसे बनता है", ""),
        ("hin-Deva", "काँसा", "too_few_words"),
        ("ara-Arab", "كيف يُصنع البرونز", ""),
    ],
)
def test_length_counts_characters_only_where_no_spaces_part_words(
    language: str, query: str, reason: str
) -> None:
    assert stopped("length", language, query) == reason


@pytest.mark.parametrize(
    ("language", "query", "text", "reason"),
    [
        # A title and its author are more than eight characters, and no copy.
        ("jpn-Jpan", "小説『硝子の果樹園』はどんな話か", JAPANESE, ""),
        ("jpn-Jpan", "ポート・セルウィックは19世紀にどうやって豊かになったのか", TOWN, ""),
        ("jpn-Jpan", "トマス・アルヴェルの小説は映画になったのか", JAPANESE, ""),
        ("jpn-Jpan", "トマス・アルヴェルが1978年に発表した長編小説", JAPANESE, "copied_verbatim"),
        (
            "jpn-Jpan",
            "トマス・アルヴェルが1978年に発表した長編とはいったい何という題の本だろうか",
            JAPANESE,
            "copied_long_run",
        ),
        ("zho-Hans", "青铜由哪些金属混合而成", CHINESE, ""),
        ("zho-Hans", "它比这两种金属都硬吗", CHINESE, "copied_mostly"),
        ("kor-Kore", "포트 셀윅은 19세기에 어떻게 부유해졌는가", KOREAN, ""),
        ("kor-Kore", "마렌섬 북쪽 해안에 있는", KOREAN, "copied_verbatim"),
        ("hin-Deva", "काँसा किन धातुओं से बनता है", HINDI, ""),
        ("hin-Deva", "ताँबे की मिश्रधातु है", HINDI, "copied_verbatim"),
    ],
)
def test_a_copy_is_told_from_a_shared_name(
    language: str, query: str, text: str, reason: str
) -> None:
    assert stopped("copied", language, query, text) == reason


@pytest.mark.parametrize(
    ("language", "query", "reason"),
    [
        ("jpn-Jpan", "雨が降ったときにしたことと雪が降ったときにしたこと", "repeats_itself"),
        ("jpn-Jpan", "潮だまりの生き物と海の生き物の違い", ""),
        ("zho-Hans", "北京大学和南京大学的区别是什么", ""),
        ("zho-Hans", "青铜的青铜的青铜的青铜的", "repeats_itself"),
        ("rus-Cyrl", "самый первый город самый первый город", "repeats_itself"),
        ("hin-Deva", "काँसा कैसे बनता है और पीतल कैसे बनता है", "repeats_itself"),
        ("hin-Deva", "काँसा और पीतल में क्या अंतर है", ""),
    ],
)
def test_a_loop_is_told_from_characters_that_come_back(
    language: str, query: str, reason: str
) -> None:
    assert stopped("repetition", language, query) == reason


@pytest.mark.parametrize(
    ("language", "query", "reason"),
    [
        ("jpn-Jpan", "PythonでJSONを読む方法", ""),
        ("jpn-Jpan", "東京都人口推移", ""),
        ("jpn-Jpan", "北京大学什么时候成立", "not_in_query_language"),
        ("jpn-Jpan", "What is 硝子の果樹園 about", "not_in_query_language"),
        ("zho-Hans", "iPhone 15 Pro Max 电池容量", ""),
        ("zho-Hans", "青銅は何からできているのか", "not_in_query_language"),
        ("kor-Kore", "Python JSON 파일 읽기", ""),
        ("kor-Kore", "which metals are in bronze", "not_in_query_language"),
        ("ara-Arab", "ما المعادن التي تُخلط لصنع البرونز", ""),
        ("hin-Deva", "NASA की स्थापना कब हुई", ""),
        ("rus-Cyrl", "какие металлы смешивают, чтобы получить бронзу", ""),
        ("rus-Cyrl", "kakie metally smeshivayut", "not_in_query_language"),
    ],
)
def test_latin_names_do_not_hide_a_language_and_another_language_is_seen(
    language: str, query: str, reason: str
) -> None:
    among = ["ara-Arab", "eng-Latn", "hin-Deva", "jpn-Jpan", "kor-Kore", "rus-Cyrl", "zho-Hans"]
    queries = queries_of(query_row("q1", query, query_language=language))
    gate = GATES.build({"gate": "language", "among": among})
    result = apply_gates(queries, documents_of(document_row("d1", "x")), [gate])
    assert reasons(result).get("q1", "") == reason
