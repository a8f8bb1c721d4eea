"""`pairmill probe` and `pairmill eval-set`: clean data beat noisy data, and nothing leaks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from data_cards.manifest import load_manifest
from data_cards.probe.beir import read_eval_set, write_eval_set
from data_cards.probe.bootstrap import Bootstrap
from data_cards.probe.config import ProbeConfig
from data_cards.probe.results import load_results
from flows.cli import app
from flows.eval_set import make_eval_set
from flows.mine import mine_pairs
from flows.probe import Probed, _arms_to_run, run_probe
from flows.workspace import Workspace
from sdg import store
from sdg.errors import ConfigError, DataError
from sdg.schemas import DOCUMENTS, table_of
from tests.data_cards import tiny
from tests.flows import pairs

_ROWS, _QUERIES, _SEARCHED = 400, 200, 1000
_QUICK = ["threads=1", "epochs=3"]


def _unused(number: int) -> dict[str, object]:
    """Return a document that the tiny data set does not use, with what stands beside it."""
    return {
        "doc_id": f"d-unused-{number}",
        "text": f"The town number {number} lies in a far valley.",
        "language": "eng-Latn",
        "group_id": f"g-unused-{number}",
        "entity_key": f"town {number}",
        "natural_texts": [{"kind": "description", "text": f"town of the number {number}"}],
    }


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished data set with the corpus that it was made from."""
    directory = tiny.write_data_set(tmp_path_factory.mktemp("tiny") / "data")
    corpus = pa.concat_tables(
        [tiny.documents(), table_of([_unused(number) for number in range(20)], DOCUMENTS)]
    )
    folder = Workspace(directory).shared("deduplicate", "0-tiny-00000")
    store.write_parquet(folder / "kept.parquet", corpus)
    return directory


@pytest.fixture(scope="module")
def eval_directory(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an evaluation set of documents that the data set does not use."""
    directory = tmp_path_factory.mktemp("eval") / "towns"
    make_eval_set(data_set, directory, ["queries=10"])
    return directory


def test_an_evaluation_set_shares_no_group_with_its_data_set(
    data_set: Path, eval_directory: Path
) -> None:
    used = pl.read_parquet(data_set / "corpus" / "*.parquet")
    evaluation = read_eval_set(eval_directory)
    assert not set(evaluation.groups) & set(used["group_id"])
    assert not set(evaluation.doc_ids) & set(used["doc_id"])
    record = json.loads((eval_directory / "eval-set.json").read_text(encoding="utf-8"))
    assert record["counts"]["queries"] == len(evaluation.queries) == 10
    assert set(evaluation.doc_ids) == {f"d-unused-{number}" for number in range(20)}


def test_an_evaluation_set_is_written_over_its_own_kind_only(
    data_set: Path, eval_directory: Path, tmp_path: Path
) -> None:
    def contents() -> dict[str, bytes]:
        files = sorted(eval_directory.rglob("*.*"))
        return {str(file): file.read_bytes() for file in files if file.is_file()}

    before = contents()
    make_eval_set(data_set, eval_directory, ["queries=10"])
    assert contents() == before
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds something else"):
        make_eval_set(data_set, tmp_path)


def test_rows_that_are_all_in_the_evaluation_set_end_with_status_2(
    data_set: Path, tmp_path: Path
) -> None:
    rows = pl.read_parquet(data_set / "data" / "train-*.parquet")
    queries = [{"_id": f"q{n}", "text": text} for n, text in enumerate(rows["query"].to_list())]
    corpus = [{"_id": "d", "text": "nothing that they know"}]
    write_eval_set(tmp_path, corpus, queries, [(q["_id"], "d", 1) for q in queries], "test")
    with pytest.raises(DataError, match=f"query_equals_eval_query {rows.height}") as caught:
        run_probe(data_set, tmp_path, tmp_path / "out")
    assert caught.value.exit_status == 2
    assert not (tmp_path / "out").exists()


def test_a_judged_data_set_has_the_arm_percent_only_beside_what_it_was_before() -> None:
    config = ProbeConfig(arms=("none", "percent", "judged"))
    assert _arms_to_run(config, was_judged=False)[0] == ["none", "percent"]
    assert _arms_to_run(config, was_judged=True)[0] == ["none", "judged"]
    before = config.model_copy(update={"unjudged": Path("mined")})
    assert _arms_to_run(before, was_judged=True) == (["none", "percent", "judged"], {})


def test_an_unknown_setting_is_refused(data_set: Path, eval_directory: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean `epochs`"):
        run_probe(data_set, eval_directory, None, ["epoch=3"])


@pytest.mark.slow
def test_the_command_writes_what_it_prints(
    data_set: Path, eval_directory: Path, tmp_path: Path
) -> None:
    arguments = ["probe", str(data_set), "--eval", str(eval_directory), "--json"]
    arguments += ["--out", str(tmp_path), "--set", "steps=2", "--set", "threads=1"]
    printed = CliRunner().invoke(app, arguments)
    assert printed.exit_code == 0, printed.output
    found = load_results(tmp_path)
    assert found is not None
    assert json.loads(printed.stdout) == found.to_json()
    names = [arm.name for arm in found.arms]
    assert names == ["before", "none", "random", "naive", "percent"]
    assert found.arms[0].gain_ndcg_at_10 is None
    assert set(found.skipped_arms) == {"judged"}
    rows = found.rows
    left = sum(rows.kept_out.values()) + sum(rows.left_out.values())
    assert rows.train == rows.trained_on + left
    assert load_results(tmp_path / "nothing") is None


def _unjudged(data_set: Path, directory: Path, text: str, lists: list[list[str]]) -> Path:
    """Copy a data set; its rows get other lists, and its corpus d-only-here and d-leaks: `text`."""
    shutil.copytree(data_set, directory)
    file = next((directory / "data").glob("train-*.parquet"))
    rows = pl.read_parquet(file).sort("query_id")
    store.write_parquet(file, rows.with_columns(negative_ids=pl.Series(lists)).to_arrow())
    file = next((directory / "corpus").glob("*.parquet"))
    corpus = pl.read_parquet(file)
    said = {"d-only-here": "Nobody but this corpus says so.", "d-leaks": text}
    more = [
        corpus[:1].with_columns(doc_id=pl.lit(d), text=pl.lit(t), group_id=pl.lit(f"g-{d}"))
        for d, t in said.items()
    ]
    store.write_parquet(file, pl.concat([corpus, *more]).to_arrow())
    return directory


@pytest.mark.slow
def test_a_judged_set_is_trained_on_the_texts_it_had_before_judging(
    data_set: Path, eval_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.read_parquet(data_set / "data" / "train-*.parquet")
    lists = [["d-leaks"], [], *[["d-only-here"]] * (rows.height - 2)]
    held = read_eval_set(eval_directory).documents[0]
    before = _unjudged(data_set, tmp_path / "before", held, lists)
    judged = load_manifest(data_set).model_copy(update={"judge": object()})
    monkeypatch.setattr("flows.probe.load_manifest", lambda _: judged)
    settings = ["steps=2", "threads=1", "arms=[percent, judged]", f"unjudged={before}"]
    found = run_probe(data_set, eval_directory, tmp_path / "out", settings).results
    assert [arm.name for arm in found.arms] == ["before", "percent", "judged"]
    left_out = found.rows.left_out
    assert left_out["holds_eval_data_in_unjudged"] == 1
    assert left_out["fewer_negatives_in_unjudged"] == 1
    assert left_out["not_in_unjudged"] == 0
    left = sum(found.rows.kept_out.values()) + sum(left_out.values())
    assert found.rows.trained_on == rows.height - left > 0


def _abstracts(folder: Path) -> Path:
    """Write descriptions with their English abstracts, mined, and an evaluation set of others."""
    from benchmarks.abstracts import read_abstracts

    table, descriptions = read_abstracts()
    frame = pl.DataFrame(table.select(["doc_id", "text", "language"])).with_columns(
        query=pl.Series(descriptions)
    )
    fit = frame.filter(
        pl.col("language") == "eng-Latn",
        pl.col("query").str.count_matches(" ") >= 2,
        pl.col("query").is_unique(),
    ).sort("doc_id")
    own, other = fit[:_ROWS], fit[_ROWS : _ROWS + _SEARCHED]
    given = [
        {"query": q, "positive_ids": [d]} for q, d in own.select("query", "doc_id").iter_rows()
    ]
    pairs.write_jsonl(folder / "pairs.jsonl", given)
    corpus = own.select(id="doc_id", text="text", language="language")
    pairs.write_jsonl(folder / "corpus.jsonl", corpus.to_dicts())
    mine_pairs(pairs.config(folder, shards={"queries": 1024}), folder / "clean")
    judged = other[:_QUERIES]
    write_eval_set(
        folder / "eval",
        [{"_id": d, "text": t} for d, t in other.select("doc_id", "text").iter_rows()],
        [{"_id": f"q{d}", "text": q} for d, q in judged.select("doc_id", "query").iter_rows()],
        [(f"q{d}", d, 1) for d in judged["doc_id"].to_list()],
        "test",
    )
    return folder


def _rewritten(folder: Path, name: str, change: pl.DataFrame) -> Path:
    """Copy the clean data set and put other columns into its train split."""
    directory = folder / name
    shutil.copytree(folder / "clean", directory)
    file = next((directory / "data").glob("train-*.parquet"))
    rows = pl.read_parquet(file).with_columns(change.get_columns())
    store.write_parquet(file, rows.to_arrow())
    return directory


def _clean_minus_noisy(clean: Probed, noisy: Probed, arm: str) -> tuple[float, float]:
    """Return the ends of the paired interval of clean minus noisy."""
    own, other = clean.queries[arm].ndcg, noisy.queries[arm].ndcg
    gain = Bootstrap(len(own), 2000, 0).gain(other, own)
    return gain.low, gain.high


@pytest.mark.slow
def test_clean_data_beat_data_with_planted_noise(tmp_path: Path) -> None:
    """Two thirds of the positives are other rows', or have changed places with a hard negative.

    Negatives that are exact copies of the positive are no such noise: nothing can push a text away
    from itself, and the arm equals "none" (see the last lines).
    """
    folder = _abstracts(tmp_path)
    rows = pl.read_parquet(next((folder / "clean" / "data").glob("train-*.parquet")))
    is_noisy = np.arange(rows.height) % 3 > 0
    places = np.arange(rows.height)
    places[is_noisy] = np.roll(places[is_noisy], 7)
    shuffled = _rewritten(folder, "shuffled", rows["positive_ids"][places].to_frame())
    changed = rows.select(
        positive_ids=pl.when(pl.Series(is_noisy))
        .then(pl.col("negative_ids").list.head(1))
        .otherwise("positive_ids"),
        negative_ids=pl.when(pl.Series(is_noisy))
        .then(pl.col("positive_ids"))
        .otherwise("negative_ids"),
    )
    swapped = _rewritten(folder, "swapped", changed)
    copies = _rewritten(folder, "copies", rows.select(negative_ids="positive_ids"))

    def probe(directory: Path) -> Probed:
        out = directory / "audit"
        return run_probe(directory, folder / "eval", out, [*_QUICK, "arms=[none, percent]"])

    clean = probe(folder / "clean")
    percent = clean.results.arms[-1].gain_ndcg_at_10
    assert percent is not None
    assert percent.low > 0
    mixed = probe(shuffled)
    assert _clean_minus_noisy(clean, mixed, "percent")[0] > 0
    assert _clean_minus_noisy(clean, mixed, "none")[0] > 0
    assert _clean_minus_noisy(clean, probe(swapped), "percent")[0] > 0
    arms = {arm.name: arm.ndcg_at_10 for arm in probe(copies).results.arms}
    assert arms["percent"].value == pytest.approx(arms["none"].value, abs=0.005)
    # The same run again gives the same file.
    first = (folder / "clean" / "audit" / "probe.json").read_bytes()
    probe(folder / "clean")
    assert (folder / "clean" / "audit" / "probe.json").read_bytes() == first
