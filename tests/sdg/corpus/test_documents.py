from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdg.corpus import CorpusConfig, cut_documents
from sdg.errors import ConfigError, ContractError
from sdg.ids import content_id
from sdg.schemas import DOCUMENTS, check_table

MakeTable = Callable[..., pa.Table]

ENGLISH = (
    "The lighthouse keeper climbed the stairs every evening and lit the great lamp. "
    "Ships far out at sea looked for its light. In winter the storms shook the tower."
)
FRENCH = "Le gardien du phare montait chaque soir l'escalier et allumait la grande lampe du haut."


def test_a_document_goes_on_with_its_texts_normalised(raw_documents: MakeTable) -> None:
    raw = raw_documents(
        {
            "text": ENGLISH.replace(" keeper", "\x07\u00a0 keeper"),
            "title": "The\nlight ",
            "language": "eng-Latn",
            "topic": "Coast",
            "entity_key": "light",
            "natural_texts": [{"kind": "description", "text": " a  tower "}],
        }
    )
    result = cut_documents(raw, "shore", CorpusConfig())
    (row,) = check_table(result.kept, DOCUMENTS, "documents").to_pylist()
    assert row.pop("language_score") > 0.65
    assert row == {
        "doc_id": content_id("d", ENGLISH),
        "text": ENGLISH,
        "title": "The light",
        "language": "eng-Latn",
        "topic": "Coast",
        "source": "shore",
        "source_key": "0",
        "parent_id": content_id("d", ENGLISH),
        "chunk_index": 0,
        "num_chunks": 1,
        "entity_key": "light",
        "group_id": content_id("d", ENGLISH),
        "natural_texts": [{"kind": "description", "text": "a tower"}],
    }
    assert result.rows_in == 1


def test_chunks_know_their_parent_and_place_and_only_the_first_has_natural_texts(
    raw_documents: MakeTable,
) -> None:
    natural = [{"kind": "question", "text": "What does a keeper do?"}]
    raw = raw_documents(
        {"text": FRENCH}, {"text": ENGLISH, "title": "Keeper", "natural_texts": natural}
    )
    rows = cut_documents(
        raw, "s", CorpusConfig(max_sentences=2, min_characters=30)
    ).kept.to_pylist()
    assert [(r["source_key"], r["chunk_index"], r["num_chunks"]) for r in rows] == [
        ("0", 0, 1),
        ("1", 0, 2),
        ("1", 1, 2),
    ]
    assert [r["parent_id"] for r in rows[1:]] == [content_id("d", ENGLISH)] * 2
    assert [r["title"] for r in rows] == ["", "Keeper", "Keeper"]
    assert [r["natural_texts"] for r in rows] == [[], natural, []]
    assert [r["doc_id"] for r in rows] == [content_id("d", r["text"]) for r in rows]
    assert [r["language"] for r in rows] == ["fra-Latn", "eng-Latn", "eng-Latn"]


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        pytest.param(
            {"text": "", "reason": "binary_file", "detail": "9 bytes"},
            "binary_file",
            "9 bytes",
            id="reader",
        ),
        pytest.param({"text": " \x00\n "}, "empty_text", "no characters", id="empty"),
        pytest.param({"text": "Too short."}, "under_min_characters", "10 characters", id="short"),
        pytest.param({"text": "1234567890 " * 9}, "no_known_language", "und", id="numbers"),
        pytest.param(
            {"text": FRENCH, "language": "eng-Latn"},
            "detected_another_language",
            "declared eng-Latn, detected fra-Latn with",
            id="wrong claim",
        ),
    ],
)
def test_a_document_that_stops_says_why(
    raw_documents: MakeTable, row: dict[str, str], reason: str, detail: str
) -> None:
    result = cut_documents(raw_documents(row, {"text": ENGLISH}), "s", CorpusConfig())
    (rejection,) = result.rejected.to_pylist()
    assert (rejection["stage"], rejection["reason"]) == ("corpus", reason)
    assert detail in rejection["detail"]
    assert json.loads(rejection["row"])["text"] == row["text"]
    assert result.kept["text"].to_pylist() == [ENGLISH]
    assert result.rows_in == 2


def test_two_unreadable_documents_have_different_row_ids(raw_documents: MakeTable) -> None:
    rejected = cut_documents(raw_documents({}, {}), "s", CorpusConfig()).rejected
    assert len(set(rejected["row_id"].to_pylist())) == 2


def test_a_chunk_under_min_characters_is_rejected_alone(raw_documents: MakeTable) -> None:
    config = CorpusConfig(min_characters=60, max_characters=79, min_language_score=None)
    result = cut_documents(raw_documents({"text": ENGLISH}), "s", config)
    assert result.rejected["reason"].to_pylist() == ["under_min_characters"] * 2
    assert result.rejected["detail"].to_pylist() == ["42 characters", "37 characters"]
    assert result.kept["num_chunks"].to_pylist() == [3]
    assert result.rows_in == 3


def test_without_a_minimum_the_score_is_only_recorded(raw_documents: MakeTable) -> None:
    config = CorpusConfig(min_language_score=None)
    raw = raw_documents({"text": FRENCH, "language": "eng-Latn"}, {"text": "1234567890 " * 9})
    kept = cut_documents(raw, "s", config).kept
    assert kept["language"].to_pylist() == ["eng-Latn", "und"]
    assert kept["language_score"].to_pylist()[0] < 0.1
    assert kept["language_score"].to_pylist()[1] == 0


def test_a_claim_that_the_detector_cannot_judge_is_kept_without_a_score(
    raw_documents: MakeTable,
) -> None:
    raw = raw_documents({"text": ENGLISH, "language": "bre-Latn"})
    kept = cut_documents(raw, "s", CorpusConfig()).kept
    assert kept["language"].to_pylist() == ["bre-Latn"]
    assert kept["language_score"].to_pylist() == [None]


def test_expected_languages_are_the_only_ones_considered(raw_documents: MakeTable) -> None:
    config = CorpusConfig(expected_languages=("en", "es"), min_language_score=None)
    raw = raw_documents(
        {"text": ENGLISH}, {"text": FRENCH}, {"text": FRENCH, "language": "fra-Latn"}
    )
    kept = cut_documents(raw, "s", config).kept
    languages = kept["language"].to_pylist()
    assert languages[0] == "eng-Latn"
    assert languages[1] in ("eng-Latn", "spa-Latn")
    assert (languages[2], kept["language_score"][2].as_py()) == ("fra-Latn", None)


def test_one_expected_language_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"must be empty or hold two languages or more"):
        CorpusConfig(expected_languages=("fr",))


def test_a_table_of_another_schema_is_refused(raw_documents: MakeTable) -> None:
    with pytest.raises(ContractError, match="raw documents"):
        cut_documents(raw_documents({}).drop_columns(["topic"]), "s", CorpusConfig())


def test_no_documents_give_no_documents(raw_documents: MakeTable) -> None:
    result = cut_documents(raw_documents(), "s", CorpusConfig())
    assert (result.rows_in, result.kept.num_rows, result.rejected.num_rows) == (0, 0, 0)
    assert result.kept.schema.equals(DOCUMENTS)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(st.just(ENGLISH), st.just(FRENCH), st.text(max_size=30)), max_size=6))
def test_one_batch_gives_what_its_rows_give_alone(
    raw_documents: MakeTable, texts: list[str]
) -> None:
    config = CorpusConfig(max_sentences=1, min_characters=20)
    raw = raw_documents(*({"text": t.encode("utf-8", "ignore").decode()} for t in texts))
    whole = cut_documents(raw, "s", config)
    parts = [cut_documents(raw.slice(row, 1), "s", config) for row in range(raw.num_rows)]
    assert whole.kept.to_pylist() == [row for part in parts for row in part.kept.to_pylist()]
    assert sorted(whole.rejected["row_id"].to_pylist()) == sorted(
        row for part in parts for row in part.rejected["row_id"].to_pylist()
    )
    assert whole.rows_in == sum(part.rows_in for part in parts)
