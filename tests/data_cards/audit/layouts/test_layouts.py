"""Foreign layouts: what is read as what, and what malformed files are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_cards.audit.audited_set import NEGATIVE, POSITIVE, AuditedSet
from data_cards.audit.layouts import detect
from data_cards.audit.open_source import open_source
from sdg import store
from sdg.errors import DataError, UnknownNameError
from sdg.ids import content_id

Link = tuple[str, str, int, int, float | None, int | None]


def _opened(path: Path, tmp_path: Path, block_rows: int = 2) -> AuditedSet:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return open_source(detect(path).source(path), scratch, block_rows=block_rows)


def _links(data: AuditedSet) -> list[Link]:
    """Return (query, document, role, place, score, grade) of every link, as texts."""
    texts = data.texts.column.to_pylist()
    queries, documents = data.rows["query"], data.documents["text"]
    return [
        (
            texts[queries[link["row"]]],
            texts[documents[link["document"]]],
            link["role"],
            link["place"],
            link["score"],
            link["grade"],
        )
        for link in data.links.iter_rows(named=True)
    ]


def _lines(path: Path, rows: Sequence[Mapping[str, Any] | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def _parquet(path: Path, columns: Mapping[str, Any]) -> Path:
    store.write_parquet(path, pa.table(dict(columns)))
    return path


def test_triplets_are_one_row_a_line_and_equal_texts_one_document(tmp_path: Path) -> None:
    columns = {"anchor": ["a", "b"], "positive": ["p", "p"], "negative": ["n", "p2"]}
    data = _opened(_parquet(tmp_path / "set/train-00000.parquet", columns).parent, tmp_path)
    assert data.layout == "sentence_transformers"
    assert data.documents["doc_id"].to_list() == [content_id("d", t) for t in ("p", "n", "p2")]
    assert data.rows["query_id"].to_list() == ["train-00000.parquet:1", "train-00000.parquet:2"]
    assert [link[:3] for link in _links(data)] == [
        ("a", "p", POSITIVE),
        ("a", "n", NEGATIVE),
        ("b", "p", POSITIVE),
        ("b", "p2", NEGATIVE),
    ]


def test_n_tuples_are_read_in_the_order_of_their_numbers_without_empty_places(
    tmp_path: Path,
) -> None:
    rows = [
        {
            "query": "a",
            "answer": "p",
            "negative_10": "n10",
            "negative_2": "n2",
            "negative_1": None,
            "scores": [0.5, 0.125, 0.25, 0.75],
        }
    ]
    path = _lines(tmp_path / "set/dev/rows.jsonl", [*rows, "", *rows]).parent.parent
    data = _opened(path, tmp_path)
    assert data.rows["split"].to_list() == ["dev", "dev"]
    assert data.rows["query_id"].to_list() == ["dev/rows.jsonl:1", "dev/rows.jsonl:3"]
    assert _links(data)[:3] == [
        ("a", "p", POSITIVE, 0, 0.5, None),
        ("a", "n2", NEGATIVE, 0, 0.25, None),
        ("a", "n10", NEGATIVE, 1, 0.75, None),
    ]
    assert "2 places for documents are null and were left out" in data.notes


def test_labelled_pairs_of_one_query_become_one_row(tmp_path: Path) -> None:
    columns = {
        "sentence1": ["a", "b", "a", "a"],
        "sentence2": ["n", "x", "p", "q"],
        "label": [0, 1, 2, 0],
    }
    data = _opened(_parquet(tmp_path / "pairs.parquet", columns), tmp_path)
    assert _links(data) == [
        ("a", "p", POSITIVE, 0, None, 2),
        ("a", "n", NEGATIVE, 0, None, 0),
        ("a", "q", NEGATIVE, 1, None, 0),
        ("b", "x", POSITIVE, 0, None, 1),
    ]


def test_scored_pairs_keep_their_scores(tmp_path: Path) -> None:
    columns = {"sentence1": ["a", "b"], "sentence2": ["x", "y"], "score": [0.25, 0.75]}
    data = _opened(_parquet(tmp_path / "sts.parquet", columns), tmp_path)
    assert [link[2:5] for link in _links(data)] == [(POSITIVE, 0, 0.25), (POSITIVE, 0, 0.75)]


def test_labelled_lists_put_positives_first(tmp_path: Path) -> None:
    columns = {"query": ["a"], "documents": [["n", "p"]], "labels": [[0.0, 1.0]]}
    data = _opened(_parquet(tmp_path / "lists.parquet", columns), tmp_path)
    assert [link[1:4] for link in _links(data)] == [("p", POSITIVE, 0), ("n", NEGATIVE, 0)]


def test_splits_come_from_the_names_of_files_and_are_read_in_order(tmp_path: Path) -> None:
    for name in ("val", "train"):
        _parquet(tmp_path / f"set/{name}.parquet", {"anchor": [name], "positive": ["p"]})
    data = _opened(tmp_path / "set", tmp_path)
    assert data.rows["split"].to_list() == ["train", "validation"]


def test_flag_embedding_keeps_scores_ids_and_prompts(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "query": "a",
            "pos": ["p"],
            "neg": ["n", "m"],
            "pos_scores": [2.5],
            "neg_scores": [0.5, -1],
            "prompt": "find it",
        },
        {"query": "b", "pos": ["p", "q"], "neg": [], "pos_scores": None, "neg_scores": None},
    ]
    data = _opened(_lines(tmp_path / "train.jsonl", rows), tmp_path)
    assert data.layout == "flag_embedding"
    assert data.rows["instruction"].to_list() == ["find it", ""]
    assert _links(data) == [
        ("a", "p", POSITIVE, 0, 2.5, None),
        ("a", "n", NEGATIVE, 0, 0.5, None),
        ("a", "m", NEGATIVE, 1, -1.0, None),
        ("b", "p", POSITIVE, 0, None, None),
        ("b", "q", POSITIVE, 1, None, None),
    ]


def _beir(path: Path) -> Path:
    _lines(
        path / "corpus.jsonl",
        [
            {"_id": "d1", "title": "T", "text": "one"},
            {"_id": "d2", "title": "", "text": "two"},
            {"_id": "d3", "text": "three"},
        ],
    )
    _lines(path / "queries.jsonl", [{"_id": "q1", "text": "a"}, {"_id": "q2", "text": "b"}])
    (path / "qrels").mkdir()
    head = "query-id\tcorpus-id\tscore\n"
    judged = head + "q2\td2\t2\nq2\td1\t0\nq2\tnone\t1\n"
    (path / "qrels/test.tsv").write_text(judged, encoding="utf-8")
    (path / "qrels/train.tsv").write_text(head + "q1\td1\t7\nq9\td1\t1\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("block_rows", [1, 100])
def test_beir_gives_a_row_per_judged_query_with_grades(tmp_path: Path, block_rows: int) -> None:
    data = _opened(_beir(tmp_path / "set"), tmp_path, block_rows)
    assert data.layout == "beir"
    assert data.rows.select("query_id", "split").rows() == [("q2", "test"), ("q1", "train")]
    assert _links(data) == [
        ("b", "two", POSITIVE, 0, None, 2),
        ("b", "T one", NEGATIVE, 0, None, 0),
        ("a", "T one", POSITIVE, 0, None, 3),
    ]
    assert data.documents["doc_id"].to_list() == ["d2", "d1", "d3"]
    assert data.notes[1:] == (
        "1 judgments name no known query and were left out",
        "1 references name a document that is not in the corpus and were left out",
    )


def test_swapped_judgments_are_refused(tmp_path: Path) -> None:
    path = _beir(tmp_path / "set")
    for file in (path / "qrels").iterdir():
        file.write_text("query-id\tcorpus-id\tscore\nd1\tq1\t1\n", encoding="utf-8")
    with pytest.raises(DataError, match="were not swapped"):
        detect(path).source(path)


def test_a_path_of_no_layout_is_told_what_was_looked_for_and_found(tmp_path: Path) -> None:
    _parquet(tmp_path / "x.parquet", {"anchor": ["a"], "wrong": ["b"]})
    with pytest.raises(DataError) as raised:
        detect(tmp_path)
    message = str(raised.value)
    assert "sentence_transformers: Parquet or JSON Lines with one column of anchor" in message
    assert "a column of positives is missing: x.parquet has the columns anchor (string)" in message
    assert "beir: corpus.jsonl" in message


def test_a_path_that_does_not_exist_and_an_unknown_layout_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        detect(tmp_path / "none")
    with pytest.raises(UnknownNameError, match="flag_embedding"):
        detect(tmp_path, "flagembedding")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param('{"query": "b", "pos": [', "Line 3 of .* one JSON object", id="cut"),
        pytest.param("[1]", "Line 3 of .* is a list instead", id="list"),
        pytest.param('{"query": 5, "pos": ["p"]}', "Line 3 of .* must hold", id="number"),
        pytest.param('{"query": "b", "pos": "p"}', "Line 3 of .* must hold", id="no list"),
        pytest.param('{"query": "a"} {"query": "b"}', "Line 3 of .* one JSON", id="two"),
        pytest.param('{"query": "\\ud800", "pos": ["p"]}', "Line 3 of .* surrogate", id="half"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    good = {"query": "a", "pos": ["p"], "neg": ["n"]}
    path = _lines(tmp_path / "rows.jsonl", [good, "", good])
    layout = detect(path)
    _lines(path, [good, "", line, good])
    with pytest.raises(DataError, match=message):
        open_source(layout.__class__().source(path), tmp_path, block_rows=100)


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    _parquet(tmp_path / "x.parquet", {"anchor": [1, 2], "positive": ["a", "b"]})
    with pytest.raises(DataError, match=r"a column of queries is missing.*anchor \(int64\)"):
        detect(tmp_path, "sentence_transformers").source(tmp_path)


def test_a_column_that_begins_far_down_is_read(tmp_path: Path) -> None:
    rows: list[Mapping[str, Any] | str] = [{"query": f"q{n}", "pos": [f"p{n}"]} for n in range(150)]
    rows += [{"query": f"q{n}", "pos": [f"p{n}"], "neg": ["n"]} for n in range(150, 160)]
    data = _opened(_lines(tmp_path / "late.jsonl", rows), tmp_path, block_rows=64)
    assert data.links_of("negative")["row"].to_list() == list(range(150, 160))


def test_whole_numbers_among_scores_are_scores(tmp_path: Path) -> None:
    columns = {
        "sentence1": ["a", "b", "c", "d"],
        "sentence2": ["w", "x", "y", "z"],
        "score": [1.0, 0.9, 0.1, 0.0],
    }
    data = _opened(_parquet(tmp_path / "sts.parquet", columns), tmp_path)
    assert data.links["score"].cast(float).round(3).to_list() == [1.0, 0.9, 0.1, 0.0]
    assert data.links["grade"].to_list() == [None] * 4


def test_a_document_without_a_label_is_left_out(tmp_path: Path) -> None:
    columns = {"query": ["a", "a", "a"], "positive": ["x", "y", "z"], "label": [1, None, 0]}
    data = _opened(_parquet(tmp_path / "labelled.parquet", columns), tmp_path)
    assert [(link[1], link[2]) for link in _links(data)] == [("x", POSITIVE), ("z", NEGATIVE)]


def test_documents_without_a_list_of_labels_are_refused_by_name(tmp_path: Path) -> None:
    one = _lines(tmp_path / "one.jsonl", [{"query": "q", "documents": ["a", "b"], "label": 1}])
    with pytest.raises(DataError, match="a list of labels beside the list of documents"):
        _opened(one, tmp_path)
    none = _lines(
        tmp_path / "none.jsonl",
        [
            {"query": "q", "documents": ["a", "b"], "labels": [1, 0]},
            {"query": "r", "documents": ["c", "d"], "labels": None},
        ],
    )
    with pytest.raises(DataError, match="must be as long as `documents`, but is not in line 2"):
        _opened(none, tmp_path)


@pytest.mark.parametrize("name", ["eval.jsonl", "data-evaluation.jsonl", "val.jsonl"])
def test_a_file_for_evaluation_is_the_validation_split(tmp_path: Path, name: str) -> None:
    data = _opened(_lines(tmp_path / name, [{"query": "q", "positive": "p"}]), tmp_path)
    assert data.rows["split"].to_list() == ["validation"]


def test_numbers_as_ids_name_nothing(tmp_path: Path) -> None:
    path = _lines(tmp_path / "numbered.jsonl", [{"id": 7, "query": "q", "pos": ["p"]}])
    assert _opened(path, tmp_path).rows["query_id"].to_list() == ["numbered.jsonl:1"]
