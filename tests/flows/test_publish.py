"""What publishing reads of finished shards."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa

from flows.mining_records import rows_short
from sdg import store
from sdg.schemas import NEGATIVES
from sdg.shards import Counts, Shard


def _shard(folder: Path, counts: list[int]) -> Shard:
    """Return a shard whose rows have so many negatives."""
    offsets = np.cumsum([0, *counts])
    kind = NEGATIVES.field("negative_ids").type
    ids = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(["d"] * offsets[-1], pa.string())
    )
    table = pa.table({"negative_ids": ids.cast(kind)})
    folder.mkdir()
    store.write_parquet(folder / "kept.parquet", table)
    return Shard(folder, "", "", Counts(), {}, False)


def test_rows_with_fewer_negatives_than_wanted_are_counted_over_all_shards(tmp_path: Path) -> None:
    shards = [
        _shard(tmp_path / "a", [4, 3, 0]),
        _shard(tmp_path / "b", []),
        _shard(tmp_path / "c", [2, 5]),
    ]
    assert [rows_short(shards, wanted) for wanted in (1, 4, 5, 6)] == [1, 3, 4, 5]
    assert rows_short([], 4) == 0


def test_counting_short_rows_makes_no_object_per_negative(tmp_path: Path) -> None:
    shard = _shard(tmp_path / "a", [8] * 20_000)
    tracemalloc.start()
    try:
        assert rows_short([shard], 9) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # As Python lists they are 2.7 MB.
    assert peak < 2**20
