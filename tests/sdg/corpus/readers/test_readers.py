"""What every reader must do, and what each one reads."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sdg.corpus import RAW_DOCUMENTS
from sdg.corpus.readers import BATCH_ROWS, READERS, Reader
from sdg.errors import ConfigError, DataError, UnknownNameError

ROWS: list[dict[str, Any]] = [
    {
        "body": "First text.",
        "name": "One",
        "tongue": "en",
        "field": "a",
        "thing": "Ünö!",
        "ask": "Q",
    },
    {
        "body": "Deuxième texte.",
        "name": None,
        "tongue": "fra",
        "field": "b",
        "thing": "",
        "ask": "",
    },
]
COLUMNS: dict[str, Any] = {
    "text_column": "body",
    "title_column": "name",
    "language_column": "tongue",
    "topic_column": "field",
    "entity_column": "thing",
    "natural_columns": {"question": "ask"},
}

Write = Callable[[Path, list[dict[str, Any]]], str]


def _write_parquet(folder: Path, rows: list[dict[str, Any]]) -> str:
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    return str(folder / "rows.parquet")


def _write_jsonl(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return str(path)


def _write_saved(folder: Path, rows: list[dict[str, Any]]) -> str:
    datasets.Dataset.from_list(rows).save_to_disk(str(folder / "saved"))
    return str(folder / "saved")


def _write_plain_folder(folder: Path, rows: list[dict[str, Any]]) -> str:
    (folder / "plain").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "plain" / "train.parquet")
    return str(folder / "plain")


TABULAR = [
    pytest.param("parquet", _write_parquet, id="parquet"),
    pytest.param("jsonl", _write_jsonl, id="jsonl"),
    pytest.param("huggingface", _write_saved, id="huggingface-saved"),
    pytest.param("huggingface", _write_plain_folder, id="huggingface-folder"),
]


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def _build(reader: str, **settings: Any) -> Reader:
    return READERS.build({"reader": reader, **settings})


def _read(reader: str, **settings: Any) -> list[dict[str, Any]]:
    tables = list(_build(reader, **settings).read())
    assert [t.schema for t in tables] == [RAW_DOCUMENTS] * len(tables)
    assert [t.num_rows for t in tables if not 1 <= t.num_rows <= BATCH_ROWS] == []
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize(("reader", "write"), TABULAR)
def test_a_tabular_reader_reads_every_named_column(
    tmp_path: Path, reader: str, write: Write
) -> None:
    rows = _read(reader, path=write(tmp_path, ROWS), **COLUMNS)
    keys = [row.pop("source_key") for row in rows]
    assert len(set(keys)) == 2
    assert rows == [
        {
            "text": "First text.",
            "title": "One",
            "language": "eng-Latn",
            "topic": "a",
            "entity_key": "ünö",
            "natural_texts": [{"kind": "question", "text": "Q"}],
            "reason": "",
            "detail": "",
        },
        {
            "text": "Deuxième texte.",
            "title": "",
            "language": "fra-Latn",
            "topic": "b",
            "entity_key": "",
            "natural_texts": [],
            "reason": "",
            "detail": "",
        },
    ]


@pytest.mark.parametrize(("reader", "write"), TABULAR)
def test_a_tabular_reader_keeps_the_order_over_many_batches(
    tmp_path: Path, reader: str, write: Write
) -> None:
    rows = [{"text": f"Text {n}"} for n in range(BATCH_ROWS * 2 + 5)]
    read = _read(reader, path=write(tmp_path, rows), language="fr")
    assert [row["text"] for row in read] == [row["text"] for row in rows]
    assert {row["language"] for row in read} == {"fra-Latn"}


@pytest.mark.parametrize(("reader", "write"), TABULAR)
def test_a_wrong_column_lists_the_columns_that_are_there(
    tmp_path: Path, reader: str, write: Write
) -> None:
    with pytest.raises(DataError, match=r"text is not there\. Columns there: body, name, tongue"):
        _read(reader, path=write(tmp_path, ROWS))


@pytest.mark.parametrize(("reader", "write"), TABULAR)
def test_a_column_of_numbers_is_no_text(tmp_path: Path, reader: str, write: Write) -> None:
    with pytest.raises(DataError, match=r"Column `text` of .* must hold text, but holds"):
        _read(reader, path=write(tmp_path, [{"text": 7}]))


@pytest.mark.parametrize(("reader", "write"), TABULAR)
def test_a_language_column_with_something_else_is_refused(
    tmp_path: Path, reader: str, write: Write
) -> None:
    path = write(tmp_path, [{"text": "a", "lang": "klingon"}])
    with pytest.raises(DataError, match=r"Column `lang` .*'klingon'.*remove `language_column`"):
        _read(reader, path=path, language_column="lang")


@pytest.mark.parametrize(("reader", "write"), TABULAR)
def test_a_document_of_one_million_characters_stops_the_run_with_the_cure(
    tmp_path: Path, reader: str, write: Write
) -> None:
    path = write(tmp_path, [{"text": "short"}, {"text": "x" * 1_000_000}])
    with pytest.raises(DataError, match=r"holds 1000000 instead\. Raise `max_document_characters`"):
        _read(reader, path=path)
    kept, refused = _read(reader, path=path, on_bad_text="reject")
    assert (kept["text"], kept["reason"]) == ("short", "")
    assert refused["reason"] == "over_max_document_characters"
    assert refused["detail"].startswith("1000000 characters")
    assert refused["text"] == "x" * 1000
    assert len(_read(reader, path=path, max_document_characters=1_000_000)[1]["text"]) == 1_000_000


@pytest.mark.parametrize("reader", ["parquet", "jsonl", "folder"])
@pytest.mark.parametrize("path", ["missing.file", "no/*.match"])
def test_a_path_without_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"must name or hold an existing file.*Correct the path"):
        _read(reader, path=path)
    with pytest.raises(DataError, match="must name or hold"):
        _build(reader, path=path).content_identity()


def test_a_folder_without_a_fitting_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"one of the suffixes \.parquet"):
        _read("parquet", path=str(tmp_path))


@pytest.mark.parametrize(("reader", "write"), TABULAR[1:2])
def test_an_empty_corpus_is_refused(tmp_path: Path, reader: str, write: Write) -> None:
    with pytest.raises(DataError, match="must hold at least one document, but is empty"):
        _read(reader, path=write(tmp_path, []))


def test_an_empty_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "e.parquet")
    with pytest.raises(DataError, match="but is empty"):
        _read("parquet", path=str(tmp_path / "e.parquet"))


@pytest.mark.parametrize("damage", ["garbage", "truncated", "flipped"])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = Path(_write_parquet(tmp_path, [{"text": f"text {n}" * 9} for n in range(999)]))
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        data = bytearray(b"not a parquet file at all")
    elif damage == "truncated":
        data = data[:-20]
    else:
        data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(DataError, match="must be a readable Parquet file"):
        _read("parquet", path=str(path))


def test_parquet_text_that_is_not_utf8_stops_or_is_rejected(tmp_path: Path) -> None:
    good, bad = "Grüße".encode(), b"Gr\xfc\xdfe"
    column = pa.array([good, bad, good], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": column}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"Document `b.parquet:1` must be valid UTF-8"):
        _read("parquet", path=str(tmp_path / "b.parquet"))
    rows = _read("parquet", path=str(tmp_path / "b.parquet"), on_bad_text="reject")
    assert [row["reason"] for row in rows] == ["", "not_utf8", ""]
    assert [row["text"] for row in rows] == ["Grüße", "", "Grüße"]


def test_parquet_takes_dictionaries_large_strings_and_patterns(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["a", "b", "a"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "one.parquet")
    (tmp_path / "deep").mkdir()
    table = pa.table({"text": pa.array(["c", None], pa.large_string())})
    pq.write_table(table, tmp_path / "deep" / "two.parquet")
    rows = _read("parquet", path=str(tmp_path / "**" / "*.parquet"))
    assert [(r["source_key"], r["text"]) for r in rows] == [
        ("deep/two.parquet:0", "c"),
        ("deep/two.parquet:1", ""),
        ("one.parquet:0", "a"),
        ("one.parquet:1", "b"),
        ("one.parquet:2", "a"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "b"', r"`rows.jsonl:3` must be one JSON object, but is not JSON"),
        (b'["text"]', r"`rows.jsonl:3` must be one JSON object, but is a list"),
        (b'{"body": "b"}', r"`rows.jsonl:3` must have the columns text.*Columns there: body"),
        (b'{"text": "b\xff"}', r"`rows.jsonl:3` must be text in `encoding` = 'utf-8'"),
    ],
)
def test_a_bad_json_line_is_named_by_its_number(tmp_path: Path, line: bytes, message: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "a"}\n\n' + line + b'\n{"text": "c"}\n')
    with pytest.raises(DataError, match=message):
        _read("jsonl", path=str(tmp_path / "rows.jsonl"))


def test_jsonl_rejects_a_line_that_is_not_in_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "a"}\n{"text": "\xe9"}\n')
    rows = _read("jsonl", path=str(path), on_bad_text="reject")
    assert [(r["source_key"], r["text"], r["reason"]) for r in rows] == [
        ("rows.jsonl:1", "a", ""),
        ("rows.jsonl:2", "", "not_utf8"),
    ]
    assert _read("jsonl", path=str(path), encoding="latin-1")[1]["text"] == "é"


def test_jsonl_reads_compressed_files_and_half_characters(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"text": "a\\ud800b\xe2\x80\xa8c"}\n'))
    assert [row["text"] for row in _read("jsonl", path=str(path))] == ["ab\u2028c"]
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError, match="must be a readable file"):
        _read("jsonl", path=str(path))


def _write_pages(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.txt").write_text("never read")
    (folder / "a.txt").write_text("Plain words.", encoding="utf-8")
    (folder / "b.md").write_text("Intro\n\n## Tea & Cake ##\n\nBake it.", encoding="utf-8")
    body = "The harbour of the small town freezes over in most winters. " * 8
    (folder / "sub" / "c.html").write_text(
        "<html><head><title>Harbour</title></head><body><nav><a href='/'>Home</a></nav>"
        f"<article><p>{body}</p></article><footer>Imprint</footer></body></html>"
    )
    (folder / "d.html").write_text("<html><body></body></html>")
    (folder / "e.exe").write_bytes(b"\x00\x01")
    (folder / "f.txt").write_bytes(b"a\x00b")


def test_folder_reads_text_markdown_and_html_and_counts_the_rest(tmp_path: Path) -> None:
    _write_pages(tmp_path)
    rows = _read("folder", path=str(tmp_path), language="en")
    assert [(r["source_key"], r["title"], r["reason"]) for r in rows] == [
        ("a.txt", "", ""),
        ("b.md", "Tea & Cake", ""),
        ("d.html", "", "no_main_text"),
        ("e.exe", "", "unknown_suffix"),
        ("f.txt", "", "binary_file"),
        ("sub/c.html", "Harbour", ""),
    ]
    assert rows[0]["text"] == "Plain words."
    assert rows[-1]["text"].startswith("The harbour of the small town")
    assert "Imprint" not in rows[-1]["text"]
    assert {row["language"] for row in rows} == {"eng-Latn"}


def test_folder_stops_at_bytes_that_are_not_text_or_rejects_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"Document `a.txt` must be text in `encoding` = 'utf-8'"):
        _read("folder", path=str(tmp_path))
    assert _read("folder", path=str(tmp_path), on_bad_text="reject")[0]["reason"] == "not_utf8"
    assert _read("folder", path=str(tmp_path), encoding="cp1252")[0]["text"] == "café"


def test_an_unknown_encoding_is_refused_when_the_config_is_read() -> None:
    with pytest.raises(ConfigError, match="is 'utf-9' instead"):
        _build("folder", path="x", encoding="utf-9")


def test_a_language_cannot_be_fixed_and_a_column_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`language` must be empty"):
        _read("parquet", path=_write_parquet(tmp_path, ROWS), language="en", **COLUMNS)


def test_huggingface_refuses_a_split_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must name a data set with the split 'exam'"):
        _read("huggingface", path=_write_plain_folder(tmp_path, [{"text": "a"}]), split="exam")
    datasets.DatasetDict({"train": datasets.Dataset.from_list([{"text": "a"}])}).save_to_disk(
        str(tmp_path / "splits")
    )
    assert _read("huggingface", path=str(tmp_path / "splits"))[0]["text"] == "a"
    with pytest.raises(DataError, match="must name a data set with the split 'exam'"):
        _read("huggingface", path=str(tmp_path / "splits"), split="exam")


@pytest.mark.parametrize(("reader", "write"), TABULAR)
def test_content_identity_changes_with_the_content_only(
    tmp_path: Path, reader: str, write: Write
) -> None:
    identities = []
    for name, text in (("one", "a"), ("two", "a"), ("three", "b")):
        (tmp_path / name).mkdir()
        built = _build(reader, path=write(tmp_path / name, [{"text": text}]))
        files = built.content_identity()["files"]
        # Saved data sets also hold a fingerprint of how they were made.
        identities.append([f for f in files if "json" not in f["name"] or reader == "jsonl"])
    assert identities[0] == identities[1]
    assert identities[0] != identities[2]


def test_wikipedia_abstracts_has_three_languages_with_descriptions_and_topics() -> None:
    reader = _build("wikipedia_abstracts", languages=["spa-Latn"])
    tables = list(reader.read())
    assert sum(table.num_rows for table in tables) == 6239
    row = tables[0].slice(0, 1).to_pylist()[0]
    assert row["language"] == "spa-Latn"
    assert row["entity_key"] == row["title"].casefold()
    assert [n["kind"] for n in row["natural_texts"]] == ["description"]
    assert all(row[name] for name in ("text", "topic", "source_key"))
    assert reader.licence == "CC BY-SA 4.0"
    assert "Wikipedia" in reader.attribution
    identity = reader.content_identity()
    assert identity["version"] == "0.0.7"
    assert [file["name"] for file in identity["files"]] == ["summaries_es-es.json"]


def test_an_unknown_reader_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="folder, huggingface, jsonl, parquet, wikipedia"):
        READERS.build({"reader": "csv"})


@pytest.mark.parametrize("name", [n for n in READERS if "path" in READERS[n].model_fields])
def test_every_reader_with_a_path_refuses_an_empty_folder_with_exit_status_2(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        list(_build(name, path=str(tmp_path / "empty")).read())
    assert caught.value.exit_status == 2
