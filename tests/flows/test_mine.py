"""`pairmill mine`: given pairs and documents become a data set that keeps every promise."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import polars as pl
import pytest
import yaml

import prompts
from data_cards.manifest import load_manifest
from data_cards.verify import verify_data_set
from flows.mine import mine_pairs
from flows.mine_manifest import mine_fingerprint
from mining.mine import mine
from sdg.errors import ConfigError, DataError
from sdg.judge.rerank_server import RerankServer
from sdg.judge.wording import load_wording
from tests.flows import pairs
from tests.flows.small import pairmill, published
from tests.flows.test_judging import CUTTING


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pairs.jsonl and corpus.jsonl."""
    folder = tmp_path_factory.mktemp("given")
    rows = pairs.pair_rows()
    # One query again with another positive, one without a query, one with an unknown id.
    rows += [{**rows[0], "positive_ids": ["t010"]}, {**rows[1], "query": ""}]
    rows += [{**rows[2], "query": "who knows?", "positive_ids": ["t999"]}]
    pairs.write_jsonl(folder / "pairs.jsonl", rows)
    pairs.write_jsonl(folder / "corpus.jsonl", pairs.corpus_rows())
    return folder


@pytest.fixture(scope="module")
def mined(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the finished data set."""
    directory = tmp_path_factory.mktemp("mined") / "out"
    mine_pairs(pairs.config(folder), directory)
    return directory


def _rows(directory: Path) -> dict[str, dict[str, Any]]:
    found = pl.read_parquet(directory / "data" / "*.parquet").to_dicts()
    return {row["query"]: row for row in found}


def _files(directory: Path) -> dict[str, str]:
    return {k: v for k, v in published(directory).items() if k.endswith(".parquet")}


def test_the_data_set_keeps_every_promise_and_loads(mined: Path, tmp_path: Path) -> None:
    assert [str(problem) for problem in verify_data_set(mined)] == []
    loaded = datasets.load_dataset(str(mined), cache_dir=str(tmp_path))
    assert sum(split.num_rows for split in loaded.values()) == 90


def test_pairs_with_one_query_became_one_row_and_the_others_say_why_they_stopped(
    mined: Path,
) -> None:
    first = pairs.pair_rows()[0]["query"]
    assert _rows(mined)[first]["positive_ids"] == ["t000", "t010"]
    rejected = pl.read_parquet(mined / "rejected" / "*.parquet")
    assert rejected.select("stage", "reason").rows() == [
        ("pairs", "empty_query"),
        ("pairs", "positive_not_in_corpus"),
    ]
    manifest = load_manifest(mined)
    assert [(s.name, s.unit, s.rows_in, s.kept) for s in manifest.stages] == [
        ("corpus", "documents", 90, 90),
        ("pairs", "pairs", 93, 91),
        ("mine", "queries", 90, 90),
        ("assemble", "queries", 90, 90),
    ]
    assert [fact.text for fact in manifest.facts] == [
        "1 pairs have the query of an earlier pair and were merged with it."
    ]


def test_no_negative_is_the_same_town_in_another_language(mined: Path) -> None:
    entity = {row["id"]: row["entity"] for row in pairs.corpus_rows()}
    for row in _rows(mined).values():
        own = {entity[i] for i in row["positive_ids"]}
        assert own.isdisjoint(entity[i] for i in row["negative_ids"])
        assert row["negative_sources"] == ["dense:hashing"] * 4


def test_running_again_does_nothing_and_another_setting_mines_again(
    mined: Path, folder: Path
) -> None:
    before = published(mined)
    assert mine_pairs(pairs.config(folder), mined).was_current
    assert published(mined) == before


def test_the_size_of_shards_changes_no_row(mined: Path, folder: Path, tmp_path: Path) -> None:
    mine_pairs(pairs.config(folder, shards={"queries": 1000}), tmp_path)
    assert _files(tmp_path) == _files(mined)


def test_changed_settings_and_inputs_are_mined_anew(folder: Path, tmp_path: Path) -> None:
    for name in ("pairs", "corpus"):
        (tmp_path / f"{name}.jsonl").write_bytes((folder / f"{name}.jsonl").read_bytes())
    out = tmp_path / "out"
    mine_pairs(pairs.config(tmp_path), out)
    config = pairs.config(tmp_path, mining={"num_negatives": 2})
    assert [s.computed for s in mine_pairs(config, out).stages] == [0, 0, 0, 0, 6]
    assert {len(row["negative_ids"]) for row in _rows(out).values()} == {2}
    changed = pairs.corpus_rows()
    changed[5]["text"] = "A village that no one knows."
    pairs.write_jsonl(tmp_path / "corpus.jsonl", changed)
    again = {s.name: s.computed for s in mine_pairs(config, out).stages}
    # The queries are the same, and so are their vectors.
    assert again == {"corpus": 1, "pairs": 1, "embed": 1, "embed_queries": 0, "mine": 6}
    assert [str(problem) for problem in verify_data_set(out)] == []


def _given(folder: Path, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """Return `vectors` of the pairs and the corpus in `folder`, as the encoder makes them."""
    texts: dict[str, list[str]] = {}
    for name, key in (("pairs", "query"), ("corpus", "text")):
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        texts[name] = [json.loads(line)[key] for line in lines]
    return {
        "queries": str(pairs.save(tmp_path / "q.npy", pairs.embed(texts["pairs"]))),
        "documents": str(pairs.save(tmp_path / "d.npy", pairs.embed(texts["corpus"]))),
        "name": "hashing",
        **changes,
    }


def test_given_vectors_give_the_rows_that_the_encoder_gives(
    mined: Path, folder: Path, tmp_path: Path
) -> None:
    vectors = _given(folder, tmp_path)
    mine_pairs(pairs.config(folder, vectors=vectors), tmp_path / "out")
    assert _files(tmp_path / "out") == _files(mined)
    assert load_manifest(tmp_path / "out").encoder.dimensions == 256


def test_other_vectors_of_the_documents_are_mined_anew(folder: Path, tmp_path: Path) -> None:
    vectors = _given(folder, tmp_path)
    out = tmp_path / "out"
    mine_pairs(pairs.config(folder, vectors=vectors), out)
    before = _files(out)
    numbers = np.load(tmp_path / "d.npy")
    pairs.save(tmp_path / "d.npy", np.roll(numbers, 7, axis=0))
    mine_pairs(pairs.config(folder, vectors=vectors), out)
    # The vectors of the queries, and so their shards, are the same.
    fresh = tmp_path / "fresh"
    mine_pairs(pairs.config(folder, vectors=vectors), fresh)
    assert _files(out) == _files(fresh) != before


def test_given_vectors_stay_with_their_documents_when_some_are_rejected(
    mined: Path, folder: Path, tmp_path: Path
) -> None:
    rows = pairs.corpus_rows()
    rows[7:7] = [{**rows[3]}, {**rows[0], "id": "empty", "text": " "}]
    pairs.write_jsonl(tmp_path / "corpus.jsonl", rows)
    (tmp_path / "pairs.jsonl").write_bytes((folder / "pairs.jsonl").read_bytes())
    vectors = _given(tmp_path, tmp_path)
    mine_pairs(pairs.config(tmp_path, vectors=vectors), tmp_path / "out")
    ours, theirs = _files(tmp_path / "out"), _files(mined)
    data = [name for name in theirs if name.startswith("data/")]
    assert {name: ours[name] for name in data} == {name: theirs[name] for name in data}


def _short(path: str) -> None:
    np.save(path, np.load(path)[:-1])


def _narrow(path: str) -> None:
    vectors = np.load(path)
    np.save(path, np.eye(len(vectors), 128, dtype=np.float32))


def _mixed_up(path: str) -> None:
    np.save(path, np.load(path)[::-1])


def _not_finite(path: str) -> None:
    vectors = np.load(path)
    vectors[1, 1] = np.nan
    np.save(path, vectors)


@pytest.mark.parametrize(
    ("side", "harm", "words"),
    [
        ("documents", _short, r"one vector per document of the corpus \(90\), but holds 89"),
        ("queries", _short, r"one vector per pair \(93\), but holds 92"),
        ("queries", _narrow, "the documents' length 256, but holds 128"),
        ("queries", _mixed_up, "rows 0 and 90, which have the same query, differ by"),
        ("documents", _not_finite, "row 1 has NaN"),
        ("queries", _not_finite, "row 1 has NaN"),
    ],
)
def test_given_vectors_that_do_not_fit_are_refused(
    side: str, harm: Any, words: str, folder: Path, tmp_path: Path
) -> None:
    vectors = _given(folder, tmp_path)
    harm(vectors[side])
    with pytest.raises(DataError, match=words):
        mine_pairs(pairs.config(folder, vectors=vectors), tmp_path / "out")


def test_given_vectors_do_not_cover_positives_that_are_not_in_the_corpus(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "corpus.jsonl").write_bytes((folder / "corpus.jsonl").read_bytes())
    pairs.write_jsonl(tmp_path / "pairs.jsonl", [{"query": "q", "positive": "unheard of"}])
    vectors = _given(tmp_path, tmp_path)
    with pytest.raises(DataError, match="1 positives are not in the corpus"):
        mine_pairs(pairs.config(tmp_path, vectors=vectors), tmp_path / "out")


def test_without_a_corpus_the_positives_are_searched(folder: Path, tmp_path: Path) -> None:
    text = {row["id"]: row["text"] for row in pairs.corpus_rows()}
    rows = [
        {"anchor": row["query"], "positive": text[row["positive_ids"][0]]}
        for row in pairs.pair_rows()
    ]
    pairs.write_jsonl(tmp_path / "pairs.jsonl", rows)
    config = pairs.config(tmp_path, corpus=None, mining={"num_negatives": 2})
    outcome = mine_pairs(config, tmp_path / "out")
    assert outcome.figures["documents"] == 90
    assert [str(problem) for problem in verify_data_set(tmp_path / "out")] == []


def test_a_judge_looks_at_a_pool_and_the_card_says_so(folder: Path, tmp_path: Path) -> None:
    judge = {"enabled": True, "judges": [{"judge": "graded", "engine": "script"}], "pool": 6}
    config = pairs.config(folder, judge=judge, generators={"script": {"engine": "scripted"}})
    outcome = mine_pairs(config, tmp_path)
    manifest = load_manifest(tmp_path)
    assert manifest.judge is not None
    assert manifest.judge.queries == 90
    assert [s.name for s in outcome.stages][-1] == "judge"
    assert [str(problem) for problem in verify_data_set(tmp_path)] == []


def test_negatives_that_no_judge_could_read_leave_and_are_accounted_for(
    folder: Path, tmp_path: Path
) -> None:
    rules = [
        {"match": "<document>\n(?s:.*)(Tevin|Orla)", "replies": ["no idea"]},
        {"match": ".", "replies": ['{"grade":0}']},
    ]
    replies = tmp_path / "replies.jsonl"
    replies.write_text("\n".join(map(json.dumps, rules)), encoding="utf-8")
    judge = {
        "enabled": True,
        "judges": [{"judge": "graded", "engine": "script"}],
        "pool": 12,
        "on_unreadable": "drop",
    }
    engines = {"script": {"engine": "scripted", "replies_file": str(replies)}}
    mine_pairs(pairs.config(folder, judge=judge, generators=engines), tmp_path / "out")
    assert [str(problem) for problem in verify_data_set(tmp_path / "out")] == []
    manifest = load_manifest(tmp_path / "out")
    assert manifest.judge is not None
    left = manifest.judge.left["judged_unreadable"]
    assert manifest.judge.pairs_unreadable >= left > 0
    by_reason = {rule.reason: rule.dropped for rule in manifest.mining.rules}
    assert by_reason["judged_unreadable"] == left
    negatives = [text for row in _rows(tmp_path / "out").values() for text in row["negatives"]]
    assert negatives
    assert not [text for text in negatives if "Tevin" in text or "Orla" in text]


def test_manifest_and_card_say_that_a_server_may_have_cut_what_it_judged(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RerankServer, "scores", lambda _, asked: [0.0] * len(asked))
    mine_pairs(pairs.config(folder, judge={"enabled": True, "judges": [CUTTING]}), tmp_path)
    facts = [fact for fact in load_manifest(tmp_path).facts if fact.stage == "judge"]
    assert [(fact.kind, fact.text[:53]) for fact in facts] == [
        ("fallback", "The judge rerank_server sends truncate_prompt_tokens:")
    ]
    assert facts[0].text in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("judge", ["graded", "rlhn"])
def test_the_prompts_of_the_judges_that_are_asked_are_in_the_fingerprint(
    judge: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(prompts.PACKAGED, tmp_path / "prompts")
    monkeypatch.setattr(prompts, "PACKAGED", tmp_path / "prompts")
    # Judges need not have prompts in the same languages.
    other = {"graded": "rlhn", "rlhn": "graded"}[judge]
    (tmp_path / "prompts" / judge / "spa-Latn.md").unlink()
    (tmp_path / "prompts" / other / "fra-Latn.md").unlink()
    load_wording.cache_clear()
    judges = {"enabled": True, "judges": [{"judge": judge, "engine": "script"}]}
    engines = {"script": {"engine": "scripted"}}
    plain, judged = (
        pairs.config(folder, generators=engines),
        pairs.config(folder, generators=engines, judge=judges),
    )
    before = mine_fingerprint(plain), mine_fingerprint(judged)
    for task in prompts.tasks():
        for language in prompts.languages(task):
            path = tmp_path / "prompts" / task / f"{language}.md"
            text = path.read_text(encoding="utf-8")
            path.write_text(text + "\nOne more sentence.\n", encoding="utf-8")
            load_wording.cache_clear()
            assert mine_fingerprint(plain) == before[0]
            assert (mine_fingerprint(judged) != before[1]) == (task == judge), path
            path.write_text(text, encoding="utf-8")
    load_wording.cache_clear()


def test_other_miners_propose_and_their_scores_are_published(folder: Path, tmp_path: Path) -> None:
    mining = {
        "miners": [{"miner": "bm25", "top_k": 20}],
        "selection": {"strategy": "stratified", "by": "miner"},
    }
    outcome = mine_pairs(pairs.config(folder, mining=mining), tmp_path)
    assert [s.name for s in outcome.stages] == [
        "corpus",
        "pairs",
        "embed",
        "embed_queries",
        "propose",
        "mine",
    ]
    sources = {source for row in _rows(tmp_path).values() for source in row["negative_sources"]}
    assert "bm25" in sources
    assert [str(problem) for problem in verify_data_set(tmp_path)] == []


def test_what_an_approximate_index_finds_is_measured_and_told(folder: Path, tmp_path: Path) -> None:
    index = {"index": "faiss_hnsw"}
    mine_pairs(pairs.config(folder, index=index), tmp_path)
    texts = [fact.text for fact in load_manifest(tmp_path).facts]
    assert any("is approximate: it found" in text for text in texts)


def test_other_chunks_of_the_positives_document_are_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = [
        {"id": f"{row['id']}-{part}", "text": text, "parent": row["id"], "chunk_index": part}
        for row in pairs.corpus_rows(8)
        for part, text in enumerate(row["text"].split(". "))
    ]
    rows = [{**row, "positive_ids": [f"{row['positive_ids'][0]}-0"]} for row in pairs.pair_rows(8)]
    pairs.write_jsonl(tmp_path / "corpus.jsonl", corpus)
    pairs.write_jsonl(tmp_path / "pairs.jsonl", rows)
    proposed: list[list[str]] = []

    def remember(*given: Any, **named: Any) -> Any:
        (extra,) = named["extra"]
        assert extra.source == "in_document"
        proposed.extend(given[2].ids_of(own) for own in extra.rows)
        return mine(*given, **named)

    monkeypatch.setattr("flows.given_miners.mine", remember)
    mine_pairs(pairs.config(tmp_path, in_document=2), tmp_path / "out")
    assert proposed == [[f"t{n:03d}-1", f"t{n:03d}-2"] for n in range(24)]


def test_vectors_without_a_corpus_are_refused(folder: Path) -> None:
    vectors = {"queries": "q.npy", "documents": "d.npy"}
    with pytest.raises(ConfigError, match="must come with a corpus"):
        pairs.config(folder, corpus=None, vectors=vectors)


def test_no_row_left_says_what_became_of_them(folder: Path, tmp_path: Path) -> None:
    config = pairs.config(folder, mining={"num_negatives": 1000})
    with pytest.raises(DataError, match=r"too_few_negatives', 90"):
        mine_pairs(config, tmp_path)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bytes(folder: Path, mined: Path, tmp_path: Path) -> None:
    out, home = tmp_path / "out", tmp_path / "home"
    settings = tmp_path / "mine.yaml"
    settings.write_text(yaml.safe_dump(pairs.values(folder)), encoding="utf-8")
    command = [sys.executable, "-m", "flows.cli", "mine", "--config", str(settings)]
    process = subprocess.Popen(
        [*command, "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PREFECT_HOME": str(home)},
    )
    done = out / ".work" / "stages" / "mine" / "00001" / "manifest.json"
    deadline = time.monotonic() + 120
    while not done.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists()

    result = pairmill("mine", "--config", settings, "--out", out, "--json", home=home)
    assert result.returncode == 0, result.stderr
    stages = {s["name"]: s for s in json.loads(result.stdout)["stages"]}
    assert stages["embed"]["computed"] == 0
    assert stages["mine"]["computed"] < stages["mine"]["shards"] == 6
    assert published(out) == published(mined)


@pytest.mark.slow
def test_the_command_line_mines_and_a_failure_is_one_message(folder: Path, tmp_path: Path) -> None:
    given: list[str | Path] = [
        "--pairs",
        folder / "pairs.jsonl",
        "--corpus",
        folder / "corpus.jsonl",
    ]
    extra = ["--set", 'encoder={"encoder": "hashing"}', "--preset", "nv-retriever-percpos"]
    out = tmp_path / "out"
    result = pairmill("mine", *given, "--out", out, *extra, home=tmp_path / "home")
    assert result.returncode == 0, result.stderr
    assert f"card: {out / 'README.md'}" in result.stdout
    bad = ["--set", "pairs.query_column=ask"]
    result = pairmill("mine", *given, "--out", tmp_path / "bad", *bad, home=tmp_path / "home")
    assert result.returncode == 2
    assert "the column `ask`" in result.stderr
    assert "Traceback" not in result.stderr
