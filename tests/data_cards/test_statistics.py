from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_cards import layout
from data_cards.statistics import EXCERPT_CHARACTERS, Quantiles, _excerpt, compute_statistics
from sdg import store
from sdg.errors import DataError
from tests.data_cards import tiny


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data_set(tmp_path_factory.mktemp("tiny"))


def test_statistics_equal_what_the_rows_say(directory: Path) -> None:
    statistics = compute_statistics(directory)
    rows = [
        row
        for p in layout.parquet_files(directory, layout.DATA)
        for row in pq.read_table(p).to_pylist()
    ]
    counted = {
        (c.split, c.task, c.query_language, c.positive_language, c.generator): c.rows
        for c in statistics.row_counts
    }
    for key, number in counted.items():
        own = [
            r
            for r in rows
            if (
                r["split"],
                r["task"],
                r["query_language"],
                r["positive_languages"][0],
                r["provenance"]["generator"],
            )
            == key
        ]
        assert len(own) == number
    assert statistics.rows == len(rows) == 9
    lengths = sorted(len(r["query"]) for r in rows)
    spread = statistics.query_characters
    assert (spread.count, spread.minimum, spread.median, spread.maximum) == (
        9,
        lengths[0],
        lengths[4],
        lengths[8],
    )
    negative_lengths = [len(text) for r in rows for text in r["negatives"]]
    assert statistics.negative_characters.maximum == max(negative_lengths)
    assert statistics.negatives_per_row == Quantiles(9, 2, 2, 2, 2, 2)
    assert statistics.negative_sources == {"dense:tiny": 18}
    assert statistics.changed_positives == 0
    assert statistics.corpus_counts == {"eng-Latn": 4, "fra-Latn": 3, "spa-Latn": 3}


def test_typical_row_is_the_one_with_the_median_length(directory: Path) -> None:
    typical = compute_statistics(directory).typical_rows
    assert [(row.task, row.query) for row in typical] == [
        ("natural_pair", "bread fra-Latn"),
        ("write_query", "what about the comet"),
    ]
    assert typical[1].positive == tiny.TOPICS["comet"][0]
    assert typical[1].negative == tiny.TOPICS["river"][0]


def test_statistics_of_no_rows_are_zero(tmp_path: Path) -> None:
    statistics = compute_statistics(tmp_path)
    assert statistics.rows == 0
    assert statistics.query_characters == Quantiles(0, 0, 0, 0, 0, 0)
    assert statistics.typical_rows == ()


def test_excerpt_marks_what_it_cut() -> None:
    assert _excerpt("a" * EXCERPT_CHARACTERS) == "a" * EXCERPT_CHARACTERS
    assert _excerpt("a" * 1000) == "a" * EXCERPT_CHARACTERS + " …"


def test_statistics_name_a_damaged_file_and_a_missing_column(tmp_path: Path) -> None:
    tiny.write_data_set(tmp_path)
    path = tmp_path / "data/train-00000-of-00001.parquet"
    store.write_parquet(path, store.read_parquet(path).drop_columns(["relevance"]))
    with pytest.raises(DataError, match=r"train-00000.*lacks \['relevance'\]"):
        compute_statistics(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"train-00000.*must be a readable Parquet file"):
        compute_statistics(tmp_path)
