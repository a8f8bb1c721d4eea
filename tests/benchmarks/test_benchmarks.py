"""Every benchmark runs, and what it prints can be true. Nothing here is about speed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu_mining, llm_client, mining, out_of_core, planted_false_negatives, rules
from benchmarks.abstracts import read_abstracts
from benchmarks.brute_force import nearest, recall
from benchmarks.mining_contenders import open_corpus, open_queries
from benchmarks.synthetic import Clustered, write_clustered
from benchmarks.tables import render_table

Printed = dict[str, dict[str, str]]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[Printed]]:
    """Return a function that runs a benchmark and returns its tables by first column."""

    def run(main: Callable[[Sequence[str]], None], *arguments: str) -> list[Printed]:
        main(["--tiny", *arguments])
        return _tables(capsys.readouterr().out)

    return run


def _tables(text: str) -> list[Printed]:
    tables: list[Printed] = []
    columns: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells
            tables.append({})
        elif not set(line) <= set("|-: "):
            tables[-1][cells[0]] = dict(zip(columns, cells, strict=True))
    return tables


@pytest.mark.slow
def test_mining_prints_both_miners_with_the_same_rows(
    printed: Callable[..., list[Printed]],
) -> None:
    names = ["st torch", "ours torch"]
    miners, ceiling = printed(mining.main, *(f"--contender={name}" for name in names))
    assert list(miners) == names
    for row in miners.values():
        assert row["rows equal"] == "100.000%"
        assert float(row["CPU s"]) > 0
        assert float(row["base MiB"].replace(",", "")) > 20
    # Without a window every query is filled; theirs looks at a hundred documents of 300.
    assert miners["ours torch"]["queries filled"] == "100.0%"
    assert {"float32, numpy", "int8, torch"} <= set(ceiling)
    assert min(float(row["Gop/s"].replace(",", "")) for row in ceiling.values()) > 0


@pytest.mark.slow
def test_out_of_core_finds_everything_and_fills_every_query(
    printed: Callable[..., list[Printed]],
) -> None:
    (table,) = printed(out_of_core.main, "--index", '{"index": "exact"}')
    search, mined = table.values()
    assert search["recall@100"] == "1.000000"
    assert mined["queries filled"] == "100.00%"
    filled_by_window = float(mined["filled by the nearest 100"].rstrip("%"))
    # Three of ten queries have a weak positive: a window of the nearest does not reach below it.
    assert 50 < filled_by_window < 95


@pytest.mark.slow
def test_rules_judge_every_row_that_they_are_given(printed: Callable[..., list[Printed]]) -> None:
    (table,) = printed(rules.main)
    assert list(table) == list(rules.CHAINS)
    assert {row["rows of 100"] for row in table.values()} == {"2,000"}
    kept = {name: float(row["kept"].rstrip("%")) for name, row in table.items()}
    # One positive among the hundred; scores are even between 0.2 and 0.95, the bound is 0.76.
    assert kept["known_positive"] == pytest.approx(99, abs=0.1)
    assert kept["percent"] == pytest.approx(100 * (0.76 - 0.2) / 0.75, abs=0.5)
    assert 0 < kept["all numeric rules"] < kept["default chain without texts"]


def test_the_steps_of_the_gpu_benchmark_run_on_a_processor(
    printed: Callable[..., list[Printed]],
) -> None:
    index = json.dumps({"index": "exact"})
    (table,) = printed(gpu_mining.main, "--device", "cpu", "--index", index)
    (row,) = table.values()
    assert (row["recall@100"], row["rows equal to CPU's"]) == ("1.000000", "100.000%")


@pytest.mark.slow
def test_planted_false_negatives_prints_what_survives(
    printed: Callable[..., list[Printed]],
) -> None:
    alone, emitted = printed(planted_false_negatives.main)
    assert alone.keys() == emitted.keys()
    for table in (alone, emitted):
        assert table["same article, other language"]["default chain"] == "0.0%"
        assert table["exact duplicate, other case"]["default chain"] == "0.0%"
    assert emitted["near duplicate, one sentence more"]["no rule"] != "0.0%"


@pytest.mark.slow
def test_llm_client_prints_what_a_call_costs_beside_a_bare_loop(
    printed: Callable[..., list[Printed]],
) -> None:
    (table,) = printed(llm_client.main)
    clients = ("bare aiohttp", "pairmill, adaptive", "pairmill, always 64")
    assert list(table) == [f"{client}, {count}" for client in clients for count in (100, 200)]
    assert {row["tokens"] for name, row in table.items() if name.endswith("200")} == {"36,990"}
    for row in table.values():
        assert 0 < float(row["CPU ms per call"]) < 50


def test_synthetic_vectors_are_unit_and_near_their_positive_and_the_same_each_time(
    tmp_path: Path,
) -> None:
    what = Clustered(50, 1000, 16, seed=3, cluster_size=50)
    for name in ("one", "again"):
        write_clustered(what, tmp_path / name)
    documents = np.load(tmp_path / "one" / "documents.npy")
    assert np.array_equal(documents, np.load(tmp_path / "again" / "documents.npy"))
    assert np.linalg.norm(documents, axis=1) == pytest.approx(1, abs=1e-5)
    corpus = open_corpus(tmp_path / "one")
    queries, positives = open_queries(tmp_path / "one", corpus)
    rows = corpus.rows_of([own[0] for own in positives["positive_ids"].to_pylist()])
    own_scores = np.einsum("qd,qd->q", queries.vectors, documents[rows])
    others = queries.vectors @ documents.T
    assert own_scores.mean() > others.mean() + 0.3
    # Neighbours exist: the cluster of the query is nearer than the rest.
    nearest_fifty = -np.sort(-others, axis=1)[:, :50]
    assert nearest_fifty.mean() > others.mean() + 0.3


def test_brute_force_sorts_by_score_and_then_by_row(tmp_path: Path) -> None:
    documents = np.array([[0, 1], [1, 0], [0.6, 0.8], [1, 0], [-1, 0]], np.float32)
    np.save(tmp_path / "documents.npy", documents)
    true = nearest(np.array([[1, 0], [0, 1]], np.float32), tmp_path / "documents.npy", 4)
    assert true.tolist() == [[1, 3, 2, 0], [0, 2, 1, 3]]
    found = np.array([[1, 3, -1, -1], [0, 2, 1, 4]])
    assert recall(found, true) == pytest.approx(5 / 8)


def test_a_table_is_markdown_with_one_row_per_entry() -> None:
    text = render_table([{"name": "a", "s": 1.25, "n": 12345, "x": None}])
    assert text.splitlines() == [
        "| name |    s |      n |   x |",
        "| ---- | ---: | -----: | --: |",
        "| a    | 1.25 | 12,345 |   - |",
    ]


def test_abstracts_are_read_once_each_with_their_descriptions() -> None:
    documents, descriptions = read_abstracts()
    assert documents.num_rows == len(descriptions) == len(set(documents["doc_id"].to_pylist()))
    place = documents["title"].to_pylist().index("2001: A Space Odyssey")
    assert descriptions[place] == "1968 film by Stanley Kubrick"
