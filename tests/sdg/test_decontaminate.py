"""What counts as a text of an evaluation set, and what is of the same source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.contaminated import (
    DOCUMENT_COLUMNS,
    find_contaminated_documents,
    find_contaminated_queries,
)
from sdg.decontaminate import BlockList, EvaluationSet
from sdg.errors import ConfigError, DataError
from sdg.evaluation_sets import EvaluationSource, read_evaluation_set

PASSAGE = " ".join(f"word{n}" for n in range(30))


def _set(*texts: str, name: str = "Sci-Fact v1", **more: Any) -> EvaluationSet:
    ids = tuple(f"i{n}" for n in range(len(texts)))
    return EvaluationSet(name, ids, tuple("query" for _ in texts), texts, **more)


def _matches(blocked: BlockList, *texts: str) -> list[tuple[int, int, str]]:
    return blocked.match(pl.Series("t", texts, dtype=pl.String)).rows()


def test_case_spaces_and_punctuation_do_not_count_for_equal_texts() -> None:
    blocked = BlockList([_set("What is a proton?", "日本の首都はどこですか")])
    assert _matches(
        blocked, "what  is a PROTON", "whatis aproton", "日本の 首都はどこですか。"
    ) == [
        (0, 0, "equal_text"),
        (1, 0, "equal_text"),
        (2, 1, "equal_text"),
    ]
    assert _matches(blocked, "what is a photon", "", "?", "what is a proton made of") == []


def test_thirteen_words_in_a_row_count_and_twelve_do_not() -> None:
    blocked = BlockList([_set(PASSAGE)])
    words = PASSAGE.upper().split()
    assert _matches(blocked, " ".join(["so", *words[5:18], "then"])) == [(0, 0, "shared_words")]
    assert _matches(blocked, " ".join(["so", *words[5:17], "then"])) == []
    assert _matches(blocked, " ".join([*words[5:11], "x", *words[11:18]])) == []


def test_characters_of_scripts_without_spaces_are_words() -> None:
    text = "東京は日本の首都であり世界最大の都市圏です"
    blocked = BlockList([_set(text)])
    assert _matches(blocked, f"問い: {text[3:16]}？") == [(0, 0, "shared_words")]
    assert _matches(blocked, f"問い: {text[3:15]}？") == []


def test_runs_do_not_reach_from_one_text_into_the_next() -> None:
    blocked = BlockList([_set(PASSAGE)])
    words = PASSAGE.split()
    assert _matches(blocked, " ".join(words[:8]), " ".join(words[8:16])) == []
    assert _matches(BlockList([_set(" ".join(words[:8]), " ".join(words[8:16]))]), PASSAGE) == []


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=24), min_size=1, max_size=8))
def test_matches_are_those_of_a_plain_search(texts: list[list[str]]) -> None:
    half = len(texts) // 2
    items, asked = texts[:half], texts[half:]
    blocked = BlockList([_set(*(" ".join(t) for t in items))], ngram_words=5)

    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[n : n + 5]) for n in range(len(words) - 4)}

    expected = set()
    for place, text in enumerate(asked):
        for item in items:
            if (text and "".join(text) == "".join(item)) or runs(text) & runs(item):
                expected.add(place)
    found = _matches(blocked, *(" ".join(t) for t in asked))
    assert {place for place, *_ in found} == expected


def test_each_set_names_its_own_match_and_sets_must_differ_in_name() -> None:
    blocked = BlockList([_set("a b"), _set("c", "A B", name="other")])
    found = blocked.described(blocked.match(pl.Series(["a b"])))
    assert found.select("slug", "item_id", "detail").rows() == [
        ("sci_fact_v1", "i0", "equal_text: query i0"),
        ("other", "i1", "equal_text: query i1"),
    ]
    with pytest.raises(ConfigError, match="different names"):
        BlockList([_set("a", name="a b"), _set("b", name="A-B")])


def test_the_digest_is_that_of_the_words_in_any_order() -> None:
    assert _set("A b.", "c").sha256() == _set("C", "a  b").sha256()
    assert _set("a b", "c").sha256() != _set("a", "b c").sha256()
    assert _set("a").sha256() != _set("a", blocked_ids=("a",)).sha256()


def _documents(*rows: tuple[str, ...]) -> list[pa.Table]:
    columns = zip(*rows, strict=True)
    return [pa.table(dict(zip(DOCUMENT_COLUMNS, map(list, columns), strict=True)))]


def test_other_chunks_and_copies_of_a_blocked_document_are_blocked_too() -> None:
    batches = _documents(
        ("d1", "first chunk", "k1", "p1", ""),
        ("d2", PASSAGE, "k2", "p1", "g1"),
        ("d3", "its translation", "k3", "p3", "g1"),
        ("d4", "unrelated", "k4", "p4", "g4"),
        ("d5", "listed by id", "source-9", "p5", ""),
    )
    blocked = BlockList([_set(PASSAGE, blocked_ids=("source-9",))])
    found = find_contaminated_documents(batches, blocked)
    assert found.rows() == [
        (
            "d1",
            "source_in_evaluation_set_sci_fact_v1",
            "parent_id of a document that matched: equal_text: query i0",
        ),
        ("d2", "in_evaluation_set_sci_fact_v1", "equal_text: query i0"),
        (
            "d3",
            "source_in_evaluation_set_sci_fact_v1",
            "group_id of a document that matched: equal_text: query i0",
        ),
        ("d5", "in_evaluation_set_sci_fact_v1", "source-9"),
    ]


def test_documents_of_unknown_parent_are_no_kin() -> None:
    batches = _documents(("d1", PASSAGE, "", "", ""), ("d2", "other", "", "", ""))
    found = find_contaminated_documents(batches, BlockList([_set(PASSAGE)]))
    assert found["doc_id"].to_list() == ["d1"]


def test_queries_have_one_verdict_each_and_it_names_no_text() -> None:
    queries = pa.table({"query_id": ["q1", "q2"], "query": ["Why?", "a secret question"]})
    blocked = BlockList([_set("a secret question"), _set("A secret question!", name="b")])
    assert find_contaminated_queries(queries, blocked).to_pylist() == [
        {
            "query_id": "q2",
            "reason": "in_evaluation_set_sci_fact_v1",
            "detail": "equal_text: query i0",
        }
    ]


def write_beir(folder: Path, queries: dict[str, str], corpus: dict[str, str]) -> Path:
    """Write a BEIR directory; query n is answered by document n, `train` holds the last query."""
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("queries", queries), ("corpus", corpus)):
        lines = [json.dumps({"_id": own, "title": "", "text": t}) for own, t in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pairs = list(zip(queries, corpus, strict=False))
    for split, mine in (("test", pairs[:-1]), ("train", pairs[-1:])):
        lines = ["query-id\tcorpus-id\tscore", *(f"{q}\t{d}\t1" for q, d in mine)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_beir_directory_blocks_its_test_queries_and_what_answers_them(tmp_path: Path) -> None:
    folder = write_beir(
        tmp_path / "nfcorpus",
        {"q1": "one", "q2": "two", "q3": "in train only"},
        {"d1": "uno", "d2": "dos", "d3": "tres", "d4": "cuatro"},
    )
    found = read_evaluation_set(EvaluationSource(path=str(folder)))
    assert found.name == "nfcorpus"
    assert list(zip(found.item_ids, found.kinds, found.texts, strict=True)) == [
        ("q1", "query", "one"),
        ("q2", "query", "two"),
        ("d1", "document", "uno"),
        ("d2", "document", "dos"),
    ]
    every = read_evaluation_set(EvaluationSource(path=str(folder), documents="all"))
    assert every.texts[2:] == ("uno", "dos", "tres", "cuatro")
    none = read_evaluation_set(EvaluationSource(path=str(folder), documents="none"))
    assert none.texts == ("one", "two")
    train = read_evaluation_set(EvaluationSource(path=str(folder), splits=("train",)))
    assert train.texts == ("in train only", "tres")
    with pytest.raises(DataError, match="dev"):
        read_evaluation_set(EvaluationSource(path=str(folder), splits=("dev",)))


def test_tables_and_lists_of_ids_are_block_lists(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [7, 8], "question": ["x", None]}), tmp_path / "set.parquet")
    source = EvaluationSource(path=str(tmp_path / "set.parquet"), column="question", name="mine")
    found = read_evaluation_set(source)
    assert (found.name, found.item_ids, found.texts) == ("mine", ("7",), ("x",))
    (tmp_path / "held-out.txt").write_text("d1\n\n d2 \n", encoding="utf-8")
    ids = read_evaluation_set(EvaluationSource(path=str(tmp_path / "held-out.txt")))
    assert (ids.slug, ids.blocked_ids) == ("held_out", ("d1", "d2"))
    with pytest.raises(DataError, match="`column`"):
        read_evaluation_set(EvaluationSource(path=str(tmp_path / "set.parquet")))
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="blocks none"):
        read_evaluation_set(EvaluationSource(path=str(tmp_path / "empty.txt")))
    with pytest.raises(DataError, match=r"gone\.txt"):
        read_evaluation_set(EvaluationSource(path=str(tmp_path / "gone.txt")))
