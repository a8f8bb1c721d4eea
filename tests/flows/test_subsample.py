"""`pairmill subsample`: a smaller corpus that holds what any miner finds, and all positives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import mlcroissant
import numpy as np
import polars as pl
import pytest

from data_cards.manifest import file_records, load_manifest
from data_cards.subsample_manifest import (
    SubsampleManifest,
    checked_subsample_manifest,
    load_subsample_manifest,
)
from flows.mine import mine_pairs
from flows.mine_config import MineConfig
from flows.outcome import RunOutcome
from flows.settings import parse_settings
from flows.subsample import subsample_pairs
from flows.subsample_publish import Limits
from sdg.errors import ConfigError, ContractError, DataError
from tests.data_cards.croissant_records import issues, plain
from tests.flows import pairs
from tests.flows.small import pairmill, published

TOP_N = 4
BM25 = {"miners": [{"miner": "bm25"}]}
# The corpus has 270 towns, of which so many are asked for, and one that only the pairs know.
ASKED = 12
UNKNOWN = "Nobody knows this town but the pairs."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    rows = pairs.corpus_rows(90)
    # Rows that are not read, in front of all others: rows of the source are no rows of the index.
    rows[0:0] = [{**rows[0], "id": "empty", "text": " "}]
    rows.append(dict(rows[5]))
    pairs.write_jsonl(folder / "corpus.jsonl", rows)
    asked = [
        {"query": row["query"], "positive": own["text"]}
        for row, own in zip(pairs.pair_rows(90)[:ASKED], pairs.corpus_rows(90), strict=False)
    ]
    asked.append({"query": "A town that nobody wrote down", "positive": UNKNOWN})
    pairs.write_jsonl(folder / "pairs.jsonl", asked)
    return folder


def config(folder: Path, **changes: Any) -> MineConfig:
    given = {"path": str(folder / "pairs.jsonl"), "language": "eng-Latn"}
    return pairs.config(folder, pairs=given, shards={"queries": 5}, **changes)


def run(folder: Path, out: Path, top_n: int = TOP_N, limit: int | None = None) -> RunOutcome:
    return subsample_pairs(config(folder, mining=BM25), out, Limits(top_n, limit))


@pytest.fixture(scope="module")
def small(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished corpus; only to be read."""
    out = tmp_path_factory.mktemp("small")
    run(folder, out)
    return out


def rows_of(directory: Path, part: str = "data") -> list[dict[str, Any]]:
    return pl.read_parquet(directory / part / "*.parquet").to_dicts()


def ids_of(directory: Path) -> list[str]:
    return [row["doc_id"] for row in rows_of(directory)]


def nearest(folder: Path, top_n: int) -> set[str]:
    """Return what brute force finds by cosines for the queries."""
    documents = {row["id"]: row["text"] for row in pairs.corpus_rows(90)}
    ids = [*documents, "added"]
    vectors = pairs.embed([*documents.values(), UNKNOWN]).astype(np.float64)
    lines = (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    asked = pairs.embed([json.loads(line)["query"] for line in lines]).astype(np.float64)
    found: set[str] = set()
    for cosines in (asked @ vectors.T).astype(np.float32):
        order = sorted(range(len(ids)), key=lambda place: (-cosines[place], ids[place]))
        found.update(ids[place] for place in order[:top_n])
    return found - {"added"}


def manifest_of(directory: Path) -> SubsampleManifest:
    return load_subsample_manifest(directory)


def test_without_other_miners_stay_the_nearest_by_brute_force_and_the_positives(
    folder: Path, tmp_path: Path
) -> None:
    subsample_pairs(config(folder), tmp_path, Limits(TOP_N, None))
    positives = {f"t{number:03d}" for number in range(ASKED)}
    (added,) = [row for row in rows_of(tmp_path) if row["row"] is None]
    assert added["text"] == UNKNOWN
    assert set(ids_of(tmp_path)) - {added["doc_id"]} == nearest(folder, TOP_N) | positives


def test_other_miners_add_what_they_find(folder: Path, small: Path, tmp_path: Path) -> None:
    subsample_pairs(config(folder), tmp_path, Limits(TOP_N, None))
    assert set(ids_of(tmp_path)) < set(ids_of(small))
    own = manifest_of(small)
    finders = {f.miner: (f.documents, f.only_here) for f in own.finders}
    assert list(finders) == ["dense:hashing", "bm25"]
    # BM25 alone found those that are not there without it.
    assert finders["bm25"][1] == len(ids_of(small)) - len(ids_of(tmp_path))
    assert 0 < finders["bm25"][1] < finders["bm25"][0]


def test_documents_stay_in_their_order_with_what_the_corpus_says_of_them(small: Path) -> None:
    rows = rows_of(small)
    given = {row["id"]: (place, row) for place, row in enumerate(pairs.corpus_rows(90), start=1)}
    assert [row["row"] for row in rows[:-1]] == sorted(row["row"] for row in rows[:-1])
    for row in rows[:-1]:
        place, own = given[row["doc_id"]]
        assert (row["row"], row["text"]) == (place, own["text"])
        assert row["language"][:3] == own["language"][:3]
        assert row["is_positive"] == (int(row["doc_id"][1:]) < ASKED)
    assert (rows[-1]["row"], rows[-1]["is_positive"]) == (None, True)


def test_every_other_document_says_why(folder: Path, small: Path) -> None:
    left = rows_of(small, "rejected")
    assert [(r["reason"], r["row_id"]) for r in left[:2]] == [
        ("empty_text", "empty"),
        ("repeated_document", "t004"),
    ]
    kept = {row["row"] for row in rows_of(small)[:-1]}
    assert {r["reason"] for r in left[2:]} == {"not_near"}
    assert kept | {r["row"] for r in left[2:]} == set(range(1, 271))
    assert len(kept) + len(left) == 272
    own = manifest_of(small)
    assert own.files == file_records(small)
    last = own.stages[-1]
    assert (last.name, last.rows_in, last.kept) == ("subsample", 270, len(kept))
    assert (own.positives, own.added, own.documents) == (ASKED + 1, 1, len(kept) + 1)
    assert str(folder) not in (small / "manifest.json").read_text(encoding="utf-8")


def test_a_limit_keeps_the_positives_and_says_what_it_left_out(
    folder: Path, small: Path, tmp_path: Path
) -> None:
    run(folder, tmp_path, limit=20)
    rows = rows_of(tmp_path)
    assert len(rows) == 20
    assert sum(row["is_positive"] for row in rows) == ASKED + 1
    assert set(ids_of(tmp_path)) < set(ids_of(small))
    told = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "were left out at random" in told and "as hard to search" not in told
    assert "as hard to search" in (small / "README.md").read_text(encoding="utf-8")
    left = [row["row_id"] for row in rows_of(tmp_path, "rejected") if row["reason"] == "over_limit"]
    assert set(ids_of(small)) == {*ids_of(tmp_path), *left}


def test_fewer_documents_than_positives_are_refused_before_anything_is_embedded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("asked to embed")

    monkeypatch.setattr("mining.encoders.hashing.Hashing.encode", refuse)
    # Twelve of the corpus, and one that only the pairs know.
    with pytest.raises(ConfigError, match="number of positives, 13, but is 12"):
        run(folder, tmp_path, limit=12)
    with pytest.raises(AssertionError, match="asked to embed"):
        run(folder, tmp_path, limit=13)


def test_croissant_gives_the_documents_back(folder: Path, tmp_path: Path) -> None:
    # One has the name of a column of rejected/, which means something else there.
    rows = [json.loads(t) for t in (folder / "corpus.jsonl").read_text("utf-8").splitlines()]
    pairs.write_jsonl(tmp_path / "corpus.jsonl", [{**row, "detail": "told"} for row in rows])
    corpus = {"path": str(tmp_path / "corpus.jsonl"), "attributes": ["topic", "detail"]}
    out = tmp_path / "out"
    subsample_pairs(
        config(folder, corpus=corpus, mining=BM25, card={"biases": ["Towns only."]}),
        out,
        Limits(TOP_N, None),
    )
    dataset = mlcroissant.Dataset(out / "croissant.json")
    assert issues(dataset) == (set(), {"citeAs", "datePublished", "version"})
    for part in ("data", "rejected"):
        assert [plain(record) for record in dataset.records(part)] == rows_of(out, part)
    text = json.loads((out / "croissant.json").read_text(encoding="utf-8"))
    told = {f["@id"]: f["description"] for s in text["recordSet"] for f in s["field"]}
    assert told["data/detail"] == told["data/topic"] == "A column of the corpus that was given."
    assert told["rejected/detail"] == "The value that decided."
    assert told["rejected/row"].startswith("Row in the corpus that was given")
    own = manifest_of(out)
    finders = ", ".join(f"{f.miner} {f.documents}" for f in own.finders)
    assert dataset.metadata.data_biases == [
        f"Documents by the miner that found them: {finders}.",
        "Towns only.",
    ]
    assert dataset.metadata.data_use_cases == [
        *(f"For: {use}." for use in own.card.intended_use),
        *(f"Not for: {use}." for use in own.card.not_for),
    ]
    assert text["distribution"][0]["sha256"] == own.files[text["distribution"][0]["@id"]].sha256


def test_how_files_are_cut_and_documents_are_read_changes_no_row(
    folder: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = {"path": str(folder / "corpus.jsonl"), "attributes": ["topic"]}
    own = config(folder, corpus=corpus, mining=BM25)
    subsample_pairs(own, tmp_path / "whole", Limits(TOP_N, None))
    monkeypatch.setattr("flows.subsample_rows._READ_ROWS", 7)
    subsample_pairs(own, tmp_path / "pieces", Limits(TOP_N, None))
    assert published(tmp_path / "pieces") == published(tmp_path / "whole")
    monkeypatch.setattr("flows.subsample_rows._FILE_BYTES", 4000)
    subsample_pairs(own, tmp_path / "cut", Limits(TOP_N, None))
    assert len(list((tmp_path / "cut" / "data").iterdir())) > 3
    for part in ("data", "rejected"):
        assert rows_of(tmp_path / "cut", part) == rows_of(tmp_path / "whole", part)


def test_mining_and_load_dataset_take_the_smaller_corpus(
    folder: Path, small: Path, tmp_path: Path
) -> None:
    loaded = datasets.load_dataset(str(small), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"]["doc_id"][:] == ids_of(small)
    mining = {
        "num_negatives": 2,
        "rules": [
            {"rule": "known_positive"},
            {"rule": "same_entity"},
            {"rule": "exact_duplicate"},
            {"rule": "near_duplicate", "jaccard": 0.95},
        ],
    }
    whole = mine_pairs(config(folder, mining=mining), tmp_path / "whole")
    values = pairs.values(folder, mining=mining, corpus={"path": str(small), "licence": "cc0-1.0"})
    values["pairs"]["language"] = "eng-Latn"
    cut = mine_pairs(parse_settings(values, "test", MineConfig), tmp_path / "cut")
    assert [s.counts.kept for s in cut.stages if s.name == "mine"] == [ASKED + 1]

    def negatives(outcome: RunOutcome) -> dict[str, list[str]]:
        table = pl.read_parquet(outcome.directory / "data" / "*.parquet")
        return dict(table.select("query", "negative_ids").iter_rows())

    # The four nearest are there, so the hardest two of each query are the same.
    assert negatives(cut) == negatives(whole)


def test_asking_again_does_nothing_and_a_damaged_file_is_written_again(
    folder: Path, small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(small, out)
    before = published(out)
    assert run(folder, out).was_current
    (file,) = (out / "data").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    again = run(folder, out)
    assert not again.was_current
    assert {s.name: s.computed for s in again.stages}["near"] == 0
    assert published(out) == before
    # Another number of documents searches again, and embeds nothing.
    wider = {s.name: s.computed for s in run(folder, out, top_n=6).stages}
    assert (wider["embed"], wider["embed_queries"]) == (0, 0)
    assert wider["near"] == 3
    assert len(ids_of(out)) > len(ids_of(small))


def test_how_the_queries_are_cut_changes_no_byte(folder: Path, small: Path, tmp_path: Path) -> None:
    whole = pairs.config(
        folder,
        pairs={"path": str(folder / "pairs.jsonl"), "language": "eng-Latn"},
        shards={"queries": 100},
        mining=BM25,
    )
    subsample_pairs(whole, tmp_path, Limits(TOP_N, None))
    assert published(tmp_path) == published(small)


def test_rows_of_given_vectors_are_those_of_their_file(folder: Path, tmp_path: Path) -> None:
    rows = [json.loads(t) for t in (folder / "corpus.jsonl").read_text("utf-8").splitlines()]
    asked = [json.loads(t) for t in (folder / "pairs.jsonl").read_text("utf-8").splitlines()][:-1]
    pairs.write_jsonl(tmp_path / "pairs.jsonl", asked)
    vectors = pairs.embed([row["text"] for row in rows])
    given = {
        "documents": str(pairs.save(tmp_path / "documents.npy", vectors)),
        "queries": str(pairs.save(tmp_path / "q.npy", pairs.embed([r["query"] for r in asked]))),
        "name": "hashing",
        "normalise": True,
    }
    own = pairs.config(
        tmp_path,
        corpus={"path": str(folder / "corpus.jsonl"), "licence": "cc0-1.0"},
        vectors=given,
    )
    subsample_pairs(own, tmp_path / "out", Limits(TOP_N, None))
    kept = rows_of(tmp_path / "out")
    again = pairs.embed([row["text"] for row in kept])
    assert np.array_equal(vectors[[row["row"] for row in kept]], again)


def test_columns_that_were_kept_beside_the_documents_are_there(
    folder: Path, tmp_path: Path
) -> None:
    corpus = {"path": str(folder / "corpus.jsonl"), "attributes": ["topic", "language"]}
    subsample_pairs(config(folder, corpus=corpus), tmp_path, Limits(TOP_N, None))
    topics = {row["id"]: row["topic"] for row in pairs.corpus_rows(90)}
    for row in rows_of(tmp_path):
        assert row["topic"] == topics.get(row["doc_id"], "")


def test_what_an_approximate_index_misses_is_said(folder: Path, tmp_path: Path) -> None:
    index = {"index": "faiss_hnsw"}
    subsample_pairs(config(folder, index=index), tmp_path, Limits(TOP_N, None))
    told = [fact.text for fact in manifest_of(tmp_path).facts if "approximate" in fact.text]
    assert len(told) == 1
    assert f"exact {TOP_N} nearest" in told[0]
    assert "approximate: it found" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_queries_that_a_gpu_did_not_search_are_told(
    folder: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if every query needed more than a GPU gives.
    monkeypatch.setattr("mining.indexes.faiss_flat._MAX_DEPTH", 0)
    monkeypatch.setattr("mining.indexes.faiss_flat._num_gpus", lambda _: 1)
    index = {"index": "faiss_flat", "device": "gpu"}
    subsample_pairs(config(folder, index=index, mining=BM25), tmp_path, Limits(TOP_N, None))
    told = [(f.kind, f.stage, f.text) for f in manifest_of(tmp_path).facts if "scanned" in f.text]
    assert told == [("fallback", "near", f"queries_scanned_on_cpu: {ASKED + 1}.")]
    assert ids_of(tmp_path) == ids_of(small)
    assert "scanned" in (tmp_path / "README.md").read_text(encoding="utf-8")
    # Mining tells it of its own stages.
    mining = {**BM25, "num_negatives": 2}
    mine_pairs(config(folder, index=index, mining=mining), tmp_path / "mined")
    facts = load_manifest(tmp_path / "mined").facts
    told_stages = [fact.stage for fact in facts if fact.text.startswith("queries_scanned_on_cpu")]
    assert told_stages == ["propose", "mine"]


def test_what_cannot_work_is_refused(folder: Path, small: Path, tmp_path: Path) -> None:
    limits = Limits(TOP_N, None)
    with pytest.raises(ConfigError, match="`corpus` must be given"):
        subsample_pairs(config(folder, corpus=None), tmp_path, limits)
    pairs.write_jsonl(tmp_path / "c.jsonl", [{"text": "A town.", "row": "1"}])
    corpus = {"path": str(tmp_path / "c.jsonl"), "attributes": ["row"]}
    with pytest.raises(
        ConfigError, match="other names than the columns that are added, but has ro"
    ):
        subsample_pairs(config(folder, corpus=corpus), tmp_path, limits)
    (tmp_path / "data").mkdir()
    with pytest.raises(ConfigError, match=r"from an earlier `pairmill subsample`, but .* holds"):
        subsample_pairs(config(folder), tmp_path, limits)
    with pytest.raises(DataError, match="but is of what `pairmill subsample`"):
        load_manifest(small)


def test_lost_documents_break_the_manifest(small: Path) -> None:
    fields = manifest_of(small).to_json()
    (path,) = [path for path in fields["files"] if path.startswith("data/")]
    fields["files"][path]["rows"] -= 1
    with pytest.raises(ContractError, match="documents of the files"):
        checked_subsample_manifest(fields)


def test_the_command_says_what_stays_and_what_the_corpus_lacks(
    folder: Path, tmp_path: Path
) -> None:
    given = ["--pairs", str(folder / "pairs.jsonl"), "--corpus", str(folder / "corpus.jsonl")]
    limits = ["--top-n", "3", "--max-documents", "30"]
    own = [*limits, "--set", "encoder={encoder: hashing}", "--json"]
    out = ["--out", str(tmp_path / "out")]
    told = pairmill("subsample", *given, *out, *own, home=tmp_path / "home")
    assert told.returncode == 0, told.stderr
    figures = json.loads(told.stdout)["figures"]
    assert figures["documents"] <= 30
    assert figures["positives"] == ASKED + 1
    wrong = pairmill(
        "subsample", *given[:2], "--out", str(tmp_path / "other"), home=tmp_path / "home"
    )
    assert wrong.returncode == 2
    assert "`corpus` must be given" in wrong.stderr
