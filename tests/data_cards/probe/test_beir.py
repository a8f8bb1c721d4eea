from __future__ import annotations

from pathlib import Path

import pytest

from data_cards.probe.beir import read_eval_set, write_eval_set
from sdg.errors import DataError

_CORPUS = [
    {"_id": "b", "title": "Bread", "text": "is baked.", "metadata": {"group_id": "g1"}},
    {"_id": "a", "title": "", "text": "A river.", "metadata": {}},
]
_QUERIES = [
    {"_id": "q2", "text": "what is baked", "metadata": {}},
    {"_id": "q1", "text": "never judged", "metadata": {}},
    {"_id": "q3", "text": "nothing answers", "metadata": {}},
]
_JUDGMENTS = [("q2", "b", 2), ("q2", "a", 0), ("q3", "a", 0)]


def test_what_is_written_is_read_back_by_id_with_measurable_queries_only(tmp_path: Path) -> None:
    write_eval_set(tmp_path, _CORPUS, _QUERIES, _JUDGMENTS, "dev")
    found = read_eval_set(tmp_path, "dev")
    assert (found.doc_ids, found.documents) == (["a", "b"], ["A river.", "Bread is baked."])
    assert (found.query_ids, found.groups) == (["q2"], ["", "g1"])
    assert found.queries_without_relevant == 1
    judged = (found.judged_query.tolist(), found.judged_doc.tolist(), found.grades.tolist())
    assert judged == ([0], [1], [2])


@pytest.mark.parametrize(
    ("corpus", "judgments", "complaint"),
    [
        (_CORPUS, [("q2", "z", 1)], "name what is not in corpus.jsonl, e.g. 'z'"),
        (_CORPUS, [("q9", "a", 1)], "name what is not in queries.jsonl, e.g. 'q9'"),
        (_CORPUS, [("q2", "a", 0)], "must have a query with a relevant document"),
        (_CORPUS, [("q2", "a", 1), ("q2", "a", 2)], "must judge each pair once"),
        ([*_CORPUS, _CORPUS[0]], _JUDGMENTS, "'b' occurs more often"),
        ([*_CORPUS, {"_id": "c", "metadata": {}}], _JUDGMENTS, "`_id` 'c' lacks a text"),
        ([*_CORPUS, {"_id": 3, "text": "x"}], _JUDGMENTS, "`_id` 3 lacks a text"),
    ],
)
def test_a_directory_that_cannot_be_measured_is_refused(
    tmp_path: Path,
    corpus: list[dict[str, str]],
    judgments: list[tuple[str, str, int]],
    complaint: str,
) -> None:
    write_eval_set(tmp_path, corpus, _QUERIES, judgments, "test")
    with pytest.raises(DataError, match=complaint):
        read_eval_set(tmp_path)


@pytest.mark.parametrize("missing", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    write_eval_set(tmp_path, _CORPUS, _QUERIES, _JUDGMENTS, "test")
    (tmp_path / missing).unlink()
    with pytest.raises(DataError, match=missing):
        read_eval_set(tmp_path)
