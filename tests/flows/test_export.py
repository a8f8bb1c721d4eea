"""Exports on disk, read back with the loaders that trainers use."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from typer.testing import CliRunner

from data_cards.exports import EXPORTS
from data_cards.exports.record import load_record
from flows.cli import app
from flows.export import export_data_set
from sdg.errors import ConfigError, DataError, UnknownNameError
from tests.data_cards.example_rows import NASTY, document, example, sides, uneven, write_directory


def _nasty() -> list[dict[str, Any]]:
    """Return rows whose every text breaks some reader of lines."""
    return [
        example(
            f"q{place}",
            text,
            [document(f"p{place}", f"{text}+", 0.1 + place / 100)],
            [document(f"n{place}{i}", f"{other}-{place}", i / 7) for i, other in enumerate(NASTY)],
            instruction=NASTY[place - 1],
            split="validation" if place == 3 else "train",
        )
        for place, text in enumerate(NASTY)
    ]


def _single(scores: Any) -> Any:
    return np.array(scores, dtype=np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_directory(tmp_path / "source", _nasty())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def _export(source: Path, name: str, *overrides: str, split: str = "train") -> Path:
    out = source.parent / "out"
    return export_data_set(source, name, out, splits=[split], overrides=overrides).directory


def _rows(split: str = "train") -> list[dict[str, Any]]:
    return [row for row in _nasty() if row["split"] == split]


def _load(directory: Path, *name: str, split: str = "train") -> list[dict[str, Any]]:
    return list(datasets.load_dataset(str(directory), *name, split=split))


def _jsonl(path: Path) -> list[dict[str, Any]]:
    # `splitlines` is the strictest reader: it breaks at eleven characters, not at one.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _texts(path: Path) -> list[dict[str, Any]]:
    return list(datasets.load_dataset("json", data_files=str(path), split="train"))


def test_triplets_come_back_with_ids_texts_and_scores(source: Path) -> None:
    out = _export(source, "triplet", "scores=list", "instruction=omit")
    expected = [
        (row["query"], p, n) for row in _rows() for p in sides(row)[0] for n in sides(row)[1]
    ]
    lines, ids = _load(out), _load(out, "ids")
    assert [(i["anchor"], i["positive"], i["negative"]) for i in lines] == [
        (query, p["text"], n["text"]) for query, p, n in expected
    ]
    assert [(i["positive_id"], i["negative_id"]) for i in ids] == [
        (p["id"], n["id"]) for _, p, n in expected
    ]
    scores = [[p["score"], n["score"]] for _, p, n in expected]
    assert np.array_equal(_single([i["label"] for i in lines]), _single(scores))


@pytest.mark.parametrize("name", ["n-tuple", "labeled-pair", "labeled-list"])
def test_other_formats_of_sentence_transformers_load_line_for_line(source: Path, name: str) -> None:
    out = _export(source, name, "instruction=omit")
    lines, ids = _load(out), _load(out, "ids")
    known = {row["query_id"]: row["query"] for row in _rows()}
    assert [next(iter(line.values())) for line in lines] == [known[i["query_id"]] for i in ids]
    texts = {d["id"]: d["text"] for row in _rows() for side in sides(row) for d in side}
    for line, its in zip(lines, ids, strict=True):
        found = [v for k, v in line.items() if k not in {"query", "anchor", "label", "labels"}]
        wanted = [v for k, v in its.items() if k != "query_id"]
        flat = found[0] if isinstance(found[0], list) else found
        assert flat == [texts[i] for i in (wanted[0] if isinstance(wanted[0], list) else wanted)]


def test_flagembedding_lines_hold_the_row_under_every_reader(source: Path) -> None:
    out = _export(source, "flagembedding", "scores=list")
    paths = sorted((out / "train").iterdir())
    for read in (_jsonl, _texts):
        found = [line for path in paths for line in read(path)]
        for line, row in zip(found, _rows(), strict=True):
            positives, negatives = sides(row)
            assert (line["id"], line["query"], line["prompt"]) == (
                row["query_id"],
                row["query"],
                row["instruction"],
            )
            assert line["pos"] == [d["text"] for d in positives]
            assert line["neg"] == [d["text"] for d in negatives]
            scores = [d["score"] for d in negatives]
            assert np.array_equal(_single(line["neg_scores"]), _single(scores))


def test_tevatron_rows_name_documents_of_its_corpus(source: Path) -> None:
    out = _export(source, "tevatron", "instruction=omit")
    texts = {line["docid"]: line["text"] for line in _texts(out / "corpus.jsonl")}
    for line, row in zip(_texts(out / "train.jsonl"), _rows(), strict=True):
        assert (line["query_id"], line["query_text"]) == (row["query_id"], row["query"])
        for name, side in zip(("positive", "negative"), sides(row), strict=True):
            ids = line[f"{name}_document_ids"]
            assert ids == [d["id"] for d in side]
            assert [texts[i] for i in ids] == [d["text"] for d in side]


def test_tevatron_passages_carry_text_and_score(source: Path) -> None:
    out = _export(source, "tevatron", "layout=inline", "scores=list")
    for line, row in zip(_jsonl(out / "train.jsonl"), _rows(), strict=True):
        for name, side in zip(("positive", "negative"), sides(row), strict=True):
            found = [
                (d["docid"], d["text"], np.float32(d["score"])) for d in line[f"{name}_passages"]
            ]
            assert found == [(d["id"], d["text"], np.float32(d["score"])) for d in side]


def test_nemo_subsets_load_under_the_names_that_the_trainer_asks_for(source: Path) -> None:
    out = _export(source, "nemo", "instruction=omit")
    metadata = json.loads((out / "train/dataset_metadata.json").read_text())
    assert metadata["ids_only"] is False
    texts = {line["id"]: line["text"] for line in _load(out, "train_corpus")}
    for line, row in zip(_load(out, "train"), _rows(), strict=True):
        assert (line["question_id"], line["question"]) == (row["query_id"], row["query"])
        assert line["corpus_id"] == metadata["corpus_id"]
        for name, side in zip(("pos_doc", "neg_doc"), sides(row), strict=True):
            assert [texts[d["id"]] for d in line[name]] == [d["text"] for d in side]


def test_nemo_refuses_several_instructions_in_one_metadata(source: Path) -> None:
    with pytest.raises(DataError, match="share one instruction"):
        _export(source, "nemo", "instruction=metadata")
    assert not (source.parent / "out").exists()


def test_pylate_lists_resolve_to_texts_with_scores(source: Path) -> None:
    out = _export(source, "pylate", "instruction=omit", "negatives=2")
    queries = {line["query_id"]: line["text"] for line in _load(out, "queries")}
    texts = {line["document_id"]: line["text"] for line in _load(out, "documents")}
    for line, row in zip(_load(out, "train"), _rows(), strict=True):
        positives, negatives = sides(row)
        wanted = [*positives, *negatives[:2]]
        assert queries[line["query_id"]] == row["query"]
        assert [texts[i] for i in line["document_ids"]] == [d["text"] for d in wanted]
        assert np.array_equal(_single(line["scores"]), _single([d["score"] for d in wanted]))


def test_beir_judgments_name_queries_and_documents(source: Path) -> None:
    out = _export(source, "beir")
    corpus = {line["_id"]: line["text"] for line in _jsonl(out / "corpus.jsonl")}
    queries = {line["_id"]: line for line in _jsonl(out / "queries.jsonl")}
    with (out / "qrels/train.tsv").open(encoding="utf-8", newline="") as file:
        judged = list(csv.reader(file, delimiter="\t"))
    assert judged[0] == ["query-id", "corpus-id", "score"]
    for (query_id, doc_id, score), row in zip(judged[1:], _rows(), strict=True):
        assert queries[query_id]["text"] == row["query"]
        assert queries[query_id]["metadata"]["instruction"] == row["instruction"]
        assert (corpus[doc_id], score) == (row["positives"][0], "1")


@pytest.mark.parametrize("name", list(EXPORTS))
def test_equal_sources_give_equal_bytes_in_shards_of_any_number(tmp_path: Path, name: str) -> None:
    source = write_directory(tmp_path / "s", uneven())
    first = export_data_set(source, name, tmp_path / "a", overrides=_few(name))
    second = export_data_set(source, name, tmp_path / "b", overrides=_few(name))
    assert first.record == second.record
    record = load_record(first.directory)
    assert record.splits["train"]["rows"]["in"] == 4
    assert set(record.files) | {"README.md", "export.json"} == {
        str(p.relative_to(first.directory)) for p in first.directory.rglob("*") if p.is_file()
    }


def _few(name: str) -> list[str]:
    return ["negatives=1"] if name in {"n-tuple", "pylate"} else []


def test_the_same_export_again_does_nothing(source: Path) -> None:
    out = _export(source, "triplet")
    before = (out / "export.json").stat().st_mtime_ns
    again = export_data_set(source, "triplet", out, splits=["train"])
    assert again.was_current
    assert (out / "export.json").stat().st_mtime_ns == before


def test_another_export_is_replaced_only_on_demand(source: Path) -> None:
    out = _export(source, "triplet")
    with pytest.raises(ConfigError, match="another export"):
        export_data_set(source, "beir", out)
    assert load_record(out).format == "triplet"
    export_data_set(source, "beir", out, overwrite=True)
    assert load_record(out).format == "beir"
    assert not (out / "lines").exists()


@pytest.mark.parametrize("record", ["{", '{"format": "of another version"}', "\xff"])
def test_an_export_with_a_damaged_record_is_replaced_only_on_demand(
    source: Path, record: str
) -> None:
    out = _export(source, "triplet")
    (out / "export.json").write_text(record, encoding="latin-1")
    with pytest.raises(DataError, match=r"export\.json"):
        export_data_set(source, "beir", out)
    export_data_set(source, "beir", out, overwrite=True)
    assert load_record(out).format == "beir"
    assert not (out / "lines").exists()


def test_the_same_export_with_a_damaged_file_is_mended(source: Path) -> None:
    out = _export(source, "triplet")
    name = next(iter(load_record(out).files))
    whole = (out / name).read_bytes()
    (out / name).write_bytes(b"x")
    assert not export_data_set(source, "triplet", out, splits=["train"]).was_current
    assert (out / name).read_bytes() == whole
    (out / name).unlink()
    (out / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match="--overwrite"):
        export_data_set(source, "triplet", out, splits=["train"])
    assert (out / "thesis.txt").read_text() == "years"


def test_a_folder_of_somebody_else_is_never_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years")
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="something else"):
            export_data_set(source, "beir", tmp_path / "mine", overwrite=overwrite)
    assert (tmp_path / "mine/thesis.txt").read_text() == "years"


def test_an_export_never_lies_inside_the_data_set(source: Path) -> None:
    with pytest.raises(ConfigError, match="outside the data set"):
        export_data_set(source, "beir", source / "exports")


def test_a_damaged_source_is_refused(source: Path) -> None:
    file = next((source / "data").iterdir())
    file.write_bytes(file.read_bytes()[:-8] + b"damaged!")
    with pytest.raises(DataError):
        export_data_set(source, "beir")


def test_a_data_set_of_which_nothing_is_left_is_refused(source: Path) -> None:
    with pytest.raises(DataError, match=r"no_usable_positive 9.*not_judged 9"):
        _export(source, "labeled-list", "labels=grade")


def test_wrong_names_are_answered_with_the_known_ones(source: Path) -> None:
    with pytest.raises(UnknownNameError, match="triplet"):
        export_data_set(source, "triplets")
    with pytest.raises(ConfigError, match="train, validation"):
        export_data_set(source, "beir", splits=["dev"])
    with pytest.raises(ConfigError, match="Did you mean `scores`"):
        export_data_set(source, "triplet", overrides=["score=list"])


def test_the_command_prints_counts_and_json(source: Path) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["export", str(source), "--format", "beir"])
    assert shown.exit_code == 0
    assert "format_has_no_negatives" in shown.stdout.replace("\n", "")
    result = runner.invoke(app, ["export", str(source), "--format", "beir", "--json"])
    found = json.loads(result.stdout)
    assert found["was_current"] is True
    assert found["record"]["splits"]["train"]["positives"]["written"] == 9


def test_the_notice_of_sources_goes_with_the_files(source: Path) -> None:
    text = (_export(source, "tevatron") / "README.md").read_text(encoding="utf-8")
    assert "cc-by-sa-4.0" in text
    assert "<b>" not in text
    assert "whoever writes" in text
