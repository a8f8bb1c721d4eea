"""One rule at a time, on rows whose verdict a reader can work out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sdg.gates import GATES, apply_gates
from sdg.vocabulary import build_vocabularies
from tests.sdg.rows import document_row, documents_of, queries_of, query_row, reasons

TEXT = "Irena Valcourt built eleven footbridges of wood and steel over the gorge of Brell."


def _reason(entry: dict[str, Any], query: str, text: str = TEXT, **fields: Any) -> str:
    documents = documents_of(document_row("d1", text))
    queries = queries_of(query_row("q1", query, **fields))
    vocabularies = build_vocabularies([documents])
    result = apply_gates(queries, documents, [GATES.build(entry)], vocabularies=vocabularies)
    return reasons(result).get("q1", "")


@pytest.mark.parametrize(
    ("query", "language", "reason"),
    [
        pytest.param("two words", "eng-Latn", "too_few_words", id="below the lower bound"),
        pytest.param("now three words", "eng-Latn", "", id="at the lower bound"),
        pytest.param("w " * 5, "eng-Latn", "", id="at the upper bound"),
        pytest.param("w " * 6, "eng-Latn", "too_many_words", id="above the upper bound"),
        pytest.param("谁设计了", "zho-Hans", "", id="characters count in Chinese"),
        pytest.param("谁设计", "zho-Hans", "too_few_characters", id="too few characters"),
        pytest.param("橋" * 7, "jpn-Jpan", "too_many_characters", id="too many characters"),
        pytest.param("क्या है यह", "hin-Deva", "", id="Devanagari vowel signs do not split words"),
    ],
)
def test_length_counts_words_or_characters(query: str, language: str, reason: str) -> None:
    entry = {"gate": "length", "max_words": 5, "max_characters": 6}
    assert _reason(entry, query, query_language=language) == reason


def test_length_refuses_bounds_that_cross() -> None:
    with pytest.raises(ValidationError, match="`min_words` must be at most `max_words`"):
        GATES.build({"gate": "length", "min_words": 5, "max_words": 4})


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("ELEVEN footbridges, of wood", "copied_verbatim", id="case and punctuation"),
        pytest.param("who built eleven footbridges", "", id="three of four words"),
        pytest.param("did Irena Valcourt built eleven footbridges", "copied_mostly", id="5 of 6"),
        pytest.param("did he Valcourt built eleven footbridges", "", id="4 of 6"),
        pytest.param("who was it that built eleven footbridges", "", id="three of seven words"),
        pytest.param("Brell gorge", "", id="words in another order"),
        pytest.param(
            "why is it that built eleven footbridges of wood and steel over then",
            "copied_long_run",
            id="a run longer than allowed",
        ),
    ],
)
def test_copied_finds_runs_of_the_source(query: str, reason: str) -> None:
    assert _reason({"gate": "copied", "max_run_words": 7}, query) == reason


def test_copied_measures_overlap_only_when_asked() -> None:
    query = "gorge and footbridges and Irena and Brell"
    assert _reason({"gate": "copied"}, query) == ""
    assert _reason({"gate": "copied", "max_overlap": 0.9}, query) == "overlaps_source"


def test_copied_leaves_natural_pairs_alone() -> None:
    assert _reason({"gate": "copied"}, "footbridges of wood and steel", generator="") == ""


def test_copied_works_without_spaces_between_words() -> None:
    text = "伊蕾娜设计了十一座桥。"
    assert _reason({"gate": "copied"}, "设计了十一座", text) == "copied_verbatim"
    assert _reason({"gate": "copied"}, "谁建造了那些桥梁呢", text) == ""


def test_duplicate_keeps_the_smallest_query_id_of_one_request() -> None:
    documents = documents_of(document_row("d1"))
    queries = queries_of(
        query_row("q3", "Who built it?"),
        query_row("q1", "who BUILT it"),
        query_row("q2", "who built what"),
        query_row("q4", "who built it", request_id="r2"),
    )
    result = apply_gates(queries, documents, [GATES.build({"gate": "duplicate"})])
    assert reasons(result) == {"q3": "duplicate_of_candidate"}
    assert result.rejected["detail"].to_pylist() == ["q1"]


@pytest.mark.parametrize(
    ("logprob", "reason"),
    [(-1.51, "mean_logprob_below_minimum"), (-1.5, ""), (None, "")],
)
def test_likelihood_rejects_below_the_bound_only(logprob: float | None, reason: str) -> None:
    assert _reason({"gate": "likelihood"}, "who built it", mean_logprob=logprob) == reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("what is the first of the first of the", "repeats_itself"),
        ("what is the name of the gorge of the river", ""),
        ("what what what what", "repeats_itself"),
        ("", ""),
    ],
)
def test_repetition_finds_a_run_that_comes_back(query: str, reason: str) -> None:
    assert _reason({"gate": "repetition"}, query) == reason


def test_language_rejects_another_language_and_another_script() -> None:
    entry = {"gate": "language", "among": ["eng-Latn", "fra-Latn", "spa-Latn"]}
    french = "qui a construit le pont au-dessus de la gorge"
    assert _reason(entry, french, query_language="fra-Latn") == ""
    assert _reason(entry, french) != ""
    assert _reason(entry, "кто построил этот мост") == "not_in_query_language"


def test_language_judges_short_queries_by_script_only() -> None:
    entry = {"gate": "language", "among": ["eng-Latn", "fra-Latn"], "min_words": 3}
    assert _reason(entry, "film romantique", query_language="eng-Latn") in {
        "",
        "not_in_query_language",
    }
    assert _reason(entry, "новый фильм") == "not_in_query_language"


def _vocabulary_reason(query: str, **settings: Any) -> str:
    documents = documents_of(
        document_row("d1", "Irena Valcourt built the footbridge."),
        document_row("d2", "Who built the harbour of Maren?", title="Selwick"),
        document_row("d3", "Who built the harbour?"),
        document_row("d4", "Der Hafen", language="deu-Latn"),
        document_row("d5", "Der Hafen", language="deu-Latn"),
    )
    entry = {"gate": "vocabulary", "min_documents": 2, **settings}
    result = apply_gates(
        queries_of(query_row("q1", query)),
        documents,
        [GATES.build(entry)],
        vocabularies=build_vocabularies([documents]),
    )
    details = result.rejected["detail"].to_pylist()
    return f"{reasons(result)['q1']}: {details[0]}" if details else ""


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("who built the solstax", "words_unknown_to_corpus: solstax"),
        ("who built the footbridge", ""),  # one document, but it is the source
        ("who built Maren", "words_unknown_to_corpus: maren"),  # one other document
        ("who built Selwick", "words_unknown_to_corpus: selwick"),
        ("who built hafen", "words_unknown_to_corpus: hafen"),  # another language's word
        ("who built it in 1934 by xy", ""),  # digits and short words are not judged
    ],
)
def test_vocabulary_rejects_words_nobody_wrote(query: str, reason: str) -> None:
    assert _vocabulary_reason(query) == reason


def test_vocabulary_rejects_rare_words_that_are_not_the_sources() -> None:
    query = "who built the harbour"
    assert _vocabulary_reason(query) == ""
    assert (
        _vocabulary_reason(query, max_rare_documents=2) == "rare_words_not_in_source: who harbour"
    )


def test_vocabulary_takes_two_words_with_the_same_start_for_one_rare_word() -> None:
    query = "what are footbridging harbours"
    rare = {"max_rare_documents": 2, "min_documents": 1, "max_unattested": 9}
    assert _vocabulary_reason("who built the harbours", **rare) == "rare_words_not_in_source: who"
    assert _vocabulary_reason(query, **rare) == ""
    documents = documents_of(
        document_row("d1", "A footbridge."), document_row("d2", "Two footbridges, one harbour.")
    )
    for prefix_letters, expected in ((5, {}), (0, {"q1": "rare_words_not_in_source"})):
        entry = {"gate": "vocabulary", "min_documents": 1, "max_rare_documents": 1}
        gate = GATES.build(entry | {"prefix_letters": prefix_letters})
        result = apply_gates(
            queries_of(query_row("q1", "footbridges")),
            documents,
            [gate],
            vocabularies=build_vocabularies([documents]),
        )
        assert reasons(result) == expected


def test_vocabulary_allows_as_many_unknown_words_as_it_is_told() -> None:
    assert _vocabulary_reason("who built the solstax", max_unattested=1) == ""
