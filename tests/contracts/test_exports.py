"""What every export format must do."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings

from data_cards.exports import EXPORTS, Export, Facts
from sdg.schemas import EXAMPLES
from tests.data_cards.example_rows import any_rows, sides, table, uneven

# Settings under which a format does something else than by default.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "triplet": [{"scores": "margin"}, {"scores": "list", "positives": "first", "negatives": 1}],
    "n-tuple": [{"negatives": 2, "shortfall": "repeat"}, {"negatives": 1, "scores": "list"}],
    "labeled-pair": [{"labels": "score"}, {"labels": "grade"}],
    "labeled-list": [{"labels": "score", "negatives": 2}, {"instruction": "omit"}],
    "flagembedding": [{"scores": "list"}, {"keep_without_negatives": True}],
    "tevatron": [{"layout": "inline", "scores": "list"}],
    "beir": [{"grades": "graded", "titles": True}],
    "pylate": [{"negatives": 1}],
}
EVERY = [
    pytest.param({"format": name, **variant}, id=f"{name}-{number}")
    for name in EXPORTS
    for number, variant in enumerate([{}, *VARIANTS.get(name, [])])
]
DOCUMENTS = pa.table({"doc_id": ["d1"], "title": ["t"], "text": ["x"]})


@pytest.fixture(params=EVERY)
def export(request: pytest.FixtureRequest) -> Export:
    return EXPORTS.build(request.param)


@pytest.mark.parametrize("choice", EVERY)
@given(rows=any_rows())
@settings(max_examples=15, deadline=None)
def test_every_row_and_document_is_written_or_counted(
    choice: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    tally = EXPORTS.build(choice).map_rows(table(rows)).tally
    both = [sides(row) for row in rows]
    assert tally.rows.given == len(rows)
    assert tally.positives.given == sum(len(positives) for positives, _ in both)
    assert tally.negatives.given == sum(len(negatives) for _, negatives in both)
    assert all(count > 0 for c in (tally.rows, tally.positives) for count in c.left_out.values())


def test_blocks_give_what_the_whole_gives(export: Export) -> None:
    rows = [row for row in uneven() if row["split"] == "train"]
    whole = export.map_rows(table(rows))
    parts = [export.map_rows(table([row])) for row in rows]
    for name, lines in whole.lines.items():
        together = pl.concat([part.lines[name] for part in parts])
        assert together.equals(lines)
    assert sum((part.tally for part in parts[1:]), parts[0].tally) == whole.tally


def test_no_rows_give_empty_lines_of_the_same_columns(export: Export) -> None:
    full, none = export.map_rows(table(uneven()[:2])), export.map_rows(EXAMPLES.empty_table())
    for name, lines in full.lines.items():
        assert none.lines[name].schema == lines.schema
        assert none.lines[name].height == 0


def test_outputs_are_those_that_are_filled(export: Export) -> None:
    filled = set(export.map_rows(table(uneven())).lines) | set(export.document_outputs)
    assert filled == set(export.outputs())
    if export.document_outputs:
        assert set(export.map_documents(DOCUMENTS)) == set(export.document_outputs)


def test_nothing_that_is_no_number_is_written(export: Export) -> None:
    for lines in export.map_rows(table(uneven())).lines.values():
        for name, kind in lines.schema.items():
            if kind in {pl.Float32, pl.List(pl.Float32)}:
                values = lines[name].explode() if kind == pl.List else lines[name]
                assert all(v is not None and math.isfinite(v) for v in values)


def test_no_format_writes_over_what_describes_it(export: Export) -> None:
    paths = {output.path.format(split="s", shard="0") for output in export.outputs().values()}
    small = set(export.small_files(Facts("n", "f", {"s": [""]})))
    assert not (paths | small) & {"README.md", "export.json"}
    assert len(paths) == len(export.outputs())


def test_every_format_says_how_to_train(export: Export) -> None:
    assert export.trainer
    assert all(sentence.endswith(".") for sentence in export.advice())
