"""Tables of a subsampled corpus become files, and what shards found becomes rows, within bounds."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import subsample_rows
from flows.stage_facts import facts_of_miners
from flows.subsample_rows import in_files
from flows.subsample_stages import NEAR, near_of_all
from sdg.shards import Counts, Outcome, Shard, finish


def _files(lengths: list[int], cuts: list[int], rows: int, size: int) -> list[list[int]]:
    """Return the rows of each file, for texts of these lengths that come in pieces."""
    table = pa.table({"row": range(len(lengths)), "text": ["x" * own for own in lengths]})
    bounds = [0, *sorted(cut % (len(lengths) + 1) for cut in cuts), len(lengths)]
    pieces = (table.slice(a, b - a) for a, b in itertools.pairwise(bounds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subsample_rows, "_FILE_ROWS", rows)
        patch.setattr(subsample_rows, "_FILE_BYTES", size)
        return [own["row"].to_pylist() for own in in_files(pieces)]


def _expected(lengths: list[int], rows: int, size: int) -> list[list[int]]:
    found: list[list[int]] = []
    room = 0
    for row, length in enumerate(lengths):
        # Eight for each of the two columns.
        own = length + 16
        if not found or len(found[-1]) == rows or own > room:
            found.append([])
            room = size
        found[-1].append(row)
        room -= own
    return found


@given(
    st.lists(st.integers(0, 90), max_size=40),
    st.lists(st.integers(0, 100), max_size=6),
    st.integers(1, 9),
    st.integers(20, 400),
)
def test_where_files_end_depends_on_their_rows_alone(
    lengths: list[int], cuts: list[int], rows: int, size: int
) -> None:
    assert _files(lengths, cuts, rows, size) == _expected(lengths, rows, size)


def test_long_documents_end_a_file_before_its_rows_are_as_many_as_they_may_be() -> None:
    assert _files([84, 84, 84, 500, 0, 0, 0, 0], [], 3, 200) == [[0, 1], [2], [3], [4, 5, 6], [7]]


def _shard(folder: Path, number: int, near: dict[str, list[int]]) -> Shard:
    names = [miner for miner, rows in near.items() for _ in rows]
    rows = [row for own in near.values() for row in own]
    table = pa.table({"miner": pa.array(names, pa.string()), "row": rows}).cast(NEAR)
    return finish(
        folder / str(number), {"part": number}, lambda: Outcome({"near": table}, Counts())
    )


def test_rows_of_all_shards_are_there_once_by_miner(tmp_path: Path) -> None:
    found = [
        _shard(tmp_path, 0, {"dense": [0, 4], "bm25": [9]}),
        _shard(tmp_path, 1, {"bm25": [1, 9], "dense": [4, 7]}),
        _shard(tmp_path, 2, {"dense": [], "bm25": []}),
    ]
    near = near_of_all(found, ["dense", "bm25", "other"], 10)
    assert {miner: rows.tolist() for miner, rows in near.items()} == {
        "dense": [0, 4, 7],
        "bm25": [1, 9],
        "other": [],
    }
    assert near_of_all([], ["dense"], 10)["dense"].tolist() == []


def test_rows_of_one_shard_are_in_memory_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = list(range(50_000))
    found = [_shard(tmp_path, number, {"dense": every}) for number in range(8)]
    one = found[0].table("near").nbytes
    held: list[int] = []
    read, before = Shard.table, pa.total_allocated_bytes()

    def table(*asked: Any) -> Any:
        held.append(pa.total_allocated_bytes() - before)
        return read(*asked)

    monkeypatch.setattr(Shard, "table", table)
    near = near_of_all(found, ["dense"], len(every))
    assert np.array_equal(near["dense"], every)
    assert len(held) == 8
    assert max(held) < 2 * one


def test_what_miners_cut_is_told_of_the_stage_that_asked_them(tmp_path: Path) -> None:
    cut = {"dense:e5": {"documents_truncated": 3}, "bm25": {}}
    prepared = finish(tmp_path, {}, lambda: Outcome({}, Counts(), cut))
    for asked, stage in (((), "propose"), (("near",), "near")):
        (fact,) = facts_of_miners(prepared, None, "mine", *asked)
        assert (fact.stage, fact.text) == (
            stage,
            "3 documents were cut at the input of dense:e5.",
        )
