"""Pairs and corpora of any shape become queries, positives and documents, or one clear error."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg.errors import ConfigError, DataError
from sdg.ids import content_id
from sdg.lookup import Keys, Lookup
from sdg.pairs.corpus_index import CorpusIndex
from sdg.pairs.documents import CutDocuments, DocumentSource, read_documents
from sdg.pairs.pair_source import PairSource
from sdg.pairs.pairs import ReadPairs, read_pairs

Row = dict[str, Any]


def _parquet(path: Path, rows: Sequence[Row]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def _jsonl(path: Path, rows: Sequence[Row]) -> Path:
    text = "\n".join(json.dumps(row) for row in rows)
    path.with_suffix(".jsonl").write_text(text + "\n", encoding="utf-8")
    return path.with_suffix(".jsonl")


def _gzipped(path: Path, rows: Sequence[Row]) -> Path:
    packed = path.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(_jsonl(path, rows).read_bytes()))
    return packed


def _json(path: Path, rows: Sequence[Row]) -> Path:
    path.with_suffix(".json").write_text(json.dumps(rows), encoding="utf-8")
    return path.with_suffix(".json")


def _folder(path: Path, rows: Sequence[Row]) -> Path:
    path.mkdir()
    _jsonl(path / "a", rows[:1])
    _parquet(path / "b", rows[1:])
    return path


def _saved(path: Path, rows: Sequence[Row]) -> Path:
    datasets.Dataset.from_list(list(rows)).save_to_disk(path)
    return path


def _documents(path: Path, **settings: Any) -> list[CutDocuments]:
    return list(read_documents(DocumentSource(path=str(path), **settings)))


def _index(parts: Sequence[CutDocuments]) -> CorpusIndex:
    return CorpusIndex.of((part.kept, part.keys) for part in parts)


def _pairs(path: Path, corpus: Path | None = None, **settings: Any) -> ReadPairs:
    parts = [] if corpus is None else _documents(corpus)
    source = PairSource(path=str(path), **settings)
    return read_pairs(source, _index(parts), "", has_corpus=corpus is not None)


def _positives(read: ReadPairs) -> dict[str, list[str]]:
    ids = dict(zip(*read.queries.select(["query_id", "query"]).to_pydict().values(), strict=True))
    return {ids[row["query_id"]]: row["positive_ids"] for row in read.positives.to_pylist()}


CORPUS = [
    {"id": "a", "text": "Ships sail."},
    {"id": "b", "text": "Trains  run."},
    {"id": "c", "text": "Planes fly."},
]
KINDS: list[Callable[[Path, Sequence[Row]], Path]] = [
    _parquet,
    _jsonl,
    _gzipped,
    _json,
    _folder,
    _saved,
]


@pytest.mark.parametrize("write", KINDS)
def test_every_kind_of_file_gives_the_same_documents_and_pairs(
    write: Callable[[Path, Sequence[Row]], Path], tmp_path: Path
) -> None:
    corpus = write(tmp_path / "corpus", CORPUS)
    pairs = write(
        tmp_path / "pairs",
        [
            {"query": "what sails?", "positive": ["Ships sail."]},
            {"query": "what runs?", "positive": ["Trains run.", "new"]},
        ],
    )
    (documents,) = [pa.concat_tables([part.kept for part in _documents(corpus)])]
    assert documents["doc_id"].to_pylist() == ["a", "b", "c"]
    assert documents["text"].to_pylist() == ["Ships sail.", "Trains run.", "Planes fly."]
    assert documents["language"].to_pylist() == ["und-Zyyy"] * 3
    read = _pairs(pairs, corpus)
    assert _positives(read) == {
        "what sails?": ["a"],
        "what runs?": ["b", content_id("d", "new")],
    }
    assert read.added["text"].to_pylist() == ["new"]
    assert read.extra["positives_added"] == 1


@pytest.mark.parametrize("query", ["query", "anchor", "question"])
@pytest.mark.parametrize("positive", ["positive", "positives", "pos", "answer", "document", "text"])
def test_usual_names_of_columns_are_found(query: str, positive: str, tmp_path: Path) -> None:
    read = _pairs(_jsonl(tmp_path / "p", [{query: "q", positive: "d"}]))
    assert _positives(read) == {"q": [content_id("d", "d")]}


def test_columns_of_any_name_are_configured(tmp_path: Path) -> None:
    rows: list[Row] = [{"q": "où ?", "hits": [7, 9], "n": 3, "tongue": "fr", "task": "Find it."}]
    corpus = _parquet(tmp_path / "c", [{"no": n, "body": f"t{n}", "topic": "x"} for n in (7, 9)])
    parts = _documents(
        corpus, id_column="no", text_column="body", attributes=["topic"], language="eng-Latn"
    )
    source = PairSource(
        path=str(_parquet(tmp_path / "p", rows)),
        query_column="q",
        positive_ids_column="hits",
        query_id_column="n",
        language_column="tongue",
        instruction_column="task",
    )
    read = read_pairs(source, _index(parts), "", has_corpus=True)
    (row,) = read.queries.to_pylist()
    assert (row["query_id"], row["query_language"], row["instruction"]) == (
        "3",
        "fra-Latn",
        "Find it.",
    )
    assert (row["source_doc_id"], row["document_language"]) == ("7", "eng-Latn")
    assert read.positives["positive_ids"].to_pylist() == [["7", "9"]]
    assert parts[0].attributes.to_pydict() == {"topic": ["x", "x"]}


def test_rows_with_one_query_are_one_query_with_all_their_positives(tmp_path: Path) -> None:
    """A positive of the one row would otherwise be a negative of the other."""
    rows: list[Row] = [
        {"query": "what  moves?", "positive": "Ships sail.", "query_id": "x"},
        {"query": "other", "positive": "Planes fly.", "query_id": "y"},
        {"query": "what moves?", "positive": "Trains run.", "query_id": "z"},
        {"query": "what moves?", "positive": "Ships sail.", "query_id": "x"},
    ]
    read = _pairs(_jsonl(tmp_path / "p", rows), _jsonl(tmp_path / "c", CORPUS))
    assert read.positives.select(["query_id", "positive_ids"]).to_pylist() == [
        {"query_id": "x", "positive_ids": ["a", "b"]},
        {"query_id": "y", "positive_ids": ["c"]},
    ]
    assert read.pair_rows["pair_rows"].to_pylist() == [[0, 2, 3], [1]]
    assert (read.extra["pairs_merged"], read.extra["ids_merged"]) == (2, 1)
    assert (read.rows_in, read.rejected.num_rows) == (4, 0)


def test_another_instruction_makes_another_query(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"query": "q", "positive": "one", "instruction": "Find facts."},
        {"query": "q", "positive": "two", "instruction": "Find opinions."},
    ]
    assert _pairs(_jsonl(tmp_path / "p", rows)).queries.num_rows == 2


def test_without_a_corpus_the_distinct_positives_are_the_corpus(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"query": "q1", "positive": "one", "positive_ids": ["ignored"]},
        {"query": "q2", "positive": "two"},
        {"query": "q3", "positive": " one "},
    ]
    read = _pairs(_jsonl(tmp_path / "p", rows))
    assert read.added["text"].to_pylist() == ["one", "two"]
    assert _positives(read)["q3"] == _positives(read)["q1"] == [content_id("d", "one")]


def test_a_row_that_cannot_be_mined_is_rejected_with_its_reason(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"query": "  ", "positive_ids": ["a"]},
        {"query": "q1", "positive_ids": []},
        {"query": "q2", "positive_ids": ["zz"]},
        {"query": "q3", "positive_ids": ["zz", "c"]},
        {"query": None, "positive_ids": None},
    ]
    read = _pairs(_jsonl(tmp_path / "p", rows), _jsonl(tmp_path / "c", CORPUS))
    assert read.rejected["reason"].to_pylist() == [
        "empty_query",
        "no_positive",
        "positive_not_in_corpus",
        "empty_query",
    ]
    assert read.rejected["detail"].to_pylist()[2] == "row 2: zz"
    assert len(set(read.rejected["row_id"].to_pylist())) == 4
    assert _positives(read) == {"q3": ["c"]}
    assert read.extra["positive_ids_not_found"] == 1


def test_documents_that_repeat_or_are_empty_are_rejected_and_counted(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": 1, "text": "one"},
        {"id": 1, "text": " one "},
        {"id": 2, "text": " "},
        {"id": None, "text": "none"},
        {"id": None, "text": "none"},
        {"id": 3, "text": "one"},
    ]
    (part,) = _documents(_jsonl(tmp_path / "c", rows))
    assert part.kept["doc_id"].to_pylist() == ["1", content_id("d", "none"), "3"]
    assert part.keys["row"].to_pylist() == [0, 3, 5]
    assert part.rejected["reason"].to_pylist() == [
        "repeated_document",
        "empty_text",
        "repeated_document",
    ]


@pytest.mark.parametrize("size", [2, 8192])
def test_one_id_with_two_texts_is_refused_across_batches(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdg.pairs.tables.BATCH_ROWS", size)
    rows: list[Row] = [{"id": i % 5, "text": f"text {i % 5}"} for i in range(9)] + [
        {"id": 2, "text": "no"}
    ]
    with pytest.raises(DataError, match="'2' has another one in row 9"):
        _documents(_jsonl(tmp_path / "c", rows))


def test_entity_group_and_parent_become_what_rules_and_splits_read(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": "a", "text": "1", "entity": "Rome!", "group": "g", "parent": "p", "chunk_index": 4},
        {"id": "b", "text": "2", "parent": "p"},
        {"id": "c", "text": "3", "lang": "de"},
    ]
    (part,) = _documents(_jsonl(tmp_path / "c", rows))
    columns = ["entity_key", "group_id", "parent_id", "chunk_index", "language"]
    assert [list(row.values()) for row in part.kept.select(columns).to_pylist()] == [
        ["rome", "g", "p", 4, "und-Zyyy"],
        ["", "p", "p", None, "und-Zyyy"],
        ["", "c", "c", 0, "deu-Latn"],
    ]


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        ([{"q": "x", "positive": "d"}], {}, "one of query, anchor, question, but has q, positive"),
        ([{"query": "x", "p": "d"}], {}, "one of positive, .* Set `pairs.positive_column`"),
        ([{"query": "x", "positive": "d"}], {"query_column": "ask"}, "the column `ask`"),
        ([{"query": 1.5, "positive": "d"}], {}, "must hold text, but holds double"),
        ([{"query": "x", "positive": {"t": "d"}}], {}, "must hold text, but holds struct"),
        ([{"query": "", "positive": "d"}], {}, r"all are rejected instead \(empty_query\)"),
        ([], {}, "it is empty"),
        (
            [
                {"query": "x", "positive": "d", "query_id": "1"},
                {"query": "y", "positive": "d", "query_id": "1"},
            ],
            {},
            r"'1' has several \(rows \[0, 1\]; 1 such ids\)",
        ),
    ],
)
def test_pairs_that_cannot_be_read_are_refused_with_the_cure(
    rows: Sequence[Row], settings: Row, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        _pairs(_jsonl(tmp_path / "p", rows), **settings)


def _damaged_parquet(folder: Path) -> Path:
    (folder / "c.parquet").write_bytes(b"PAR1 and then nothing")
    return folder / "c.parquet"


def _bad_line(folder: Path) -> Path:
    (folder / "c.jsonl").write_text('{"text": "a"}\n{"text": \n')
    return folder / "c.jsonl"


def _latin(folder: Path) -> Path:
    (folder / "c.jsonl").write_bytes('{"text": "caf\u00e9"}\n'.encode("latin-1"))
    return folder / "c.jsonl"


def _no_list(folder: Path) -> Path:
    (folder / "c.json").write_text('{"text": "a"}')
    return folder / "c.json"


def _no_objects(folder: Path) -> Path:
    (folder / "c.json").write_text('["a"]')
    return folder / "c.json"


def _csv(folder: Path) -> Path:
    (folder / "c.csv").write_text("text\na\n")
    return folder / "c.csv"


def _nothing(folder: Path) -> Path:
    return folder / "none.parquet"


def _empty(folder: Path) -> Path:
    (folder / "c.jsonl").write_text("\n")
    return folder / "c.jsonl"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_damaged_parquet, r"c\.parquet` must be a readable Parquet file"),
        (_bad_line, r"c\.jsonl` must hold one JSON object per line, in UTF-8, but line 2 gave"),
        (_latin, "but line 1 gave: 'utf-8' codec"),
        (_no_list, "must be a JSON list of objects, but is a dict"),
        (_no_objects, "must hold JSON objects, but entry 1 is a str"),
        (_csv, "must be one of .parquet"),
        (_nothing, "none.parquet"),
        (_empty, "at least one document"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_refused(
    make: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        _documents(make(tmp_path))


def test_a_language_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'klingon'"):
        _documents(_jsonl(tmp_path / "c", [{"text": "a", "language": "klingon"}]))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "q1", "q2", "q3"]),
            st.lists(st.sampled_from(["", "Ships sail.", "new", "newer", " new "]), max_size=3),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_pair_is_merged_or_rejected_and_no_positive_is_lost(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[str]]]
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    pairs = _jsonl(folder / "p", [{"query": q, "positive": own} for q, own in rows])
    expected: dict[str, list[str]] = {}
    for query, own in rows:
        texts = [text.strip() for text in own if text]
        if query and texts:
            merged = expected.setdefault(query, [])
            merged += [t for t in dict.fromkeys(texts) if t not in merged]
    corpus = _jsonl(folder / "c", CORPUS)
    if not expected:
        with pytest.raises(DataError, match="all are rejected"):
            _pairs(pairs, corpus)
        return
    read = _pairs(pairs, corpus)
    ids = {"Ships sail.": "a"}
    assert _positives(read) == {
        query: [ids.get(text, content_id("d", text)) for text in own]
        for query, own in expected.items()
    }
    used = [row for rows in read.pair_rows["pair_rows"].to_pylist() for row in rows]
    assert len(used) + read.rejected.num_rows == read.rows_in == len(rows)


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_json_that_is_nested_too_deeply_is_refused(suffix: str, tmp_path: Path) -> None:
    row = '{"text": "a", "more": ' + "[" * 100_000 + "]" * 100_000 + "}"
    path = tmp_path / f"corpus{suffix}"
    path.write_text(row if suffix == ".jsonl" else f"[{row}]", encoding="utf-8")
    with pytest.raises(DataError, match="recursion depth"):
        list(read_documents(DocumentSource(path=str(path))))


def test_new_positives_are_numbered_in_their_order_by_one_addition_per_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one they take 157 microseconds each: minutes for a million."""
    sizes: list[int] = []
    add = Lookup.add

    def counted(self: Lookup, keys: Keys) -> None:
        sizes.append(len(keys))
        add(self, keys)

    texts = [["b", "a"], ["a", "c", "b"], ["d"], ["d", "a"]]
    rows = [{"query": f"q{n}", "positive": own} for n, own in enumerate(texts)]
    source = PairSource(path=str(_jsonl(tmp_path / "pairs", rows)))
    corpus = CorpusIndex()
    monkeypatch.setattr(Lookup, "add", counted)
    read = read_pairs(source, corpus, "eng-Latn", has_corpus=False)
    assert read.added["text"].to_pylist() == ["b", "a", "c", "d"]
    own = [content_id("d", text) for text in "bacd"]
    assert read.positives["positive_ids"].to_pylist() == [
        [own["bacd".index(text)] for text in row] for row in texts
    ]
    assert sizes == [4]
