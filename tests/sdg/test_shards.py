"""A shard is finished exactly when its manifest is complete and its files are whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdg import store
from sdg.errors import ContractError
from sdg.ids import fingerprint
from sdg.shards import UNANSWERED, Counts, Outcome, finish, load

IDENTITY: dict[str, Any] = {"stage": "s", "config": {"a": 1, "b": [1, 2]}, "inputs": ["x", "y"]}


class Computer:
    """Counts how often a shard is computed."""

    def __init__(self, **extra: int) -> None:
        self.calls = 0
        self.extra = extra

    def __call__(self) -> Outcome:
        self.calls += 1
        return Outcome({"kept": pa.table({"n": [1, 2, 3]})}, Counts(3, 3, {}, self.extra))


def test_a_finished_shard_is_not_computed_again(tmp_path: Path) -> None:
    compute = Computer()
    first = finish(tmp_path, IDENTITY, compute)
    second = finish(tmp_path, IDENTITY, compute)
    assert (compute.calls, first.was_computed, second.was_computed) == (1, True, False)
    assert second.table("kept")["n"].to_pylist() == [1, 2, 3]
    assert (first.digest, first.fingerprint) == (second.digest, second.fingerprint)


@pytest.mark.parametrize(
    "change",
    [{"stage": "t"}, {"config": {"a": 2, "b": [1, 2]}}, {"config": {"a": 1, "b": [2, 1]}},
     {"inputs": ["xy"]}, {"inputs": ["y", "x"]}, {"more": None}],
)  # fmt: skip
def test_every_single_change_of_identity_computes_again(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    compute = Computer()
    finish(tmp_path, IDENTITY, compute)
    finish(tmp_path, {**IDENTITY, **change}, compute)
    assert compute.calls == 2
    assert fingerprint({**IDENTITY, **change}) != fingerprint(IDENTITY)


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "manifest", "half-manifest"])
def test_a_damaged_shard_is_computed_again_to_the_same_bytes(tmp_path: Path, damage: str) -> None:
    compute = Computer()
    finish(tmp_path, IDENTITY, compute)
    file, manifest = tmp_path / "kept.parquet", tmp_path / "manifest.json"
    before = file.read_bytes(), manifest.read_bytes()
    if damage == "truncate":
        file.write_bytes(before[0][:-1])
    elif damage == "flip":
        file.write_bytes(bytes([before[0][0] ^ 1]) + before[0][1:])
    elif damage == "delete":
        file.unlink()
    elif damage == "manifest":
        manifest.unlink()
    else:
        manifest.write_bytes(before[1][: len(before[1]) // 2])
    finish(tmp_path, IDENTITY, compute)
    assert compute.calls == 2
    assert (file.read_bytes(), manifest.read_bytes()) == before


def test_a_shard_whose_computation_fails_is_not_finished(tmp_path: Path) -> None:
    finish(tmp_path, IDENTITY, Computer())

    def fail() -> Outcome:
        raise ContractError("no")

    with pytest.raises(ContractError):
        finish(tmp_path, {"stage": "other"}, fail)
    assert load(tmp_path) is None


def test_rows_without_an_answer_are_asked_again_by_the_next_run(tmp_path: Path) -> None:
    broken, mended = Computer(**{UNANSWERED: 2}), Computer(**{UNANSWERED: 0})
    finish(tmp_path, IDENTITY, broken)
    assert finish(tmp_path, IDENTITY, mended).was_computed is True
    assert finish(tmp_path, IDENTITY, mended).was_computed is False
    assert mended.calls == 1


def test_counts_that_lose_a_row_are_refused() -> None:
    with pytest.raises(ContractError, match="3 came in"):
        Counts(3, 1, {"bad": 1})


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.dictionaries(st.sampled_from("abc"), st.integers(1, 9))),
        min_size=1,
    )
)
def test_counts_add_up_and_stay_conserved(parts: list[tuple[int, dict[str, int]]]) -> None:
    total = Counts()
    for kept, rejected in parts:
        total = total + Counts(kept + sum(rejected.values()), kept, rejected)
    assert total.rows_in == total.kept + sum(total.rejected.values())
    assert total.kept == sum(kept for kept, _ in parts)
    assert Counts.from_json(json.loads(json.dumps(total.to_json()))) == total


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    store.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match=r"NaN|nan|Out of range"):
        store.write_json(path, {"a": float("nan")})
    with pytest.raises(FileNotFoundError):
        _write_half(path, tmp_path)
    assert store.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]


def _write_half(path: Path, folder: Path) -> None:
    with store.atomic_path(path) as temporary:
        temporary.write_text("half")
        (folder / "nowhere").read_text()


def test_equal_tables_give_equal_bytes_whatever_their_chunks(tmp_path: Path) -> None:
    whole = pa.table({"n": [1, 2, 3, 4]})
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    store.write_parquet(tmp_path / "a.parquet", whole)
    store.write_parquet(tmp_path / "b.parquet", parts)
    assert store.sha256_of(tmp_path / "a.parquet") == store.sha256_of(tmp_path / "b.parquet")


def test_a_shard_computed_anew_leaves_no_table_of_what_lay_there_before(tmp_path: Path) -> None:
    links = pa.table({"query_id": ["q"]})
    tables = {"kept": pa.table({"n": [1]}), "links": links}
    finish(tmp_path, IDENTITY, lambda: Outcome(tables, Counts(1, 1)))
    finish(tmp_path, {**IDENTITY, "config": 2}, Computer())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.parquet", "manifest.json"]
