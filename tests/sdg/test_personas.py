"""Personas: what a file may hold, and which of them a request is given."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdg import personas as module
from sdg.errors import ContractError, DataError
from sdg.personas import (
    PersonaConfig,
    Personas,
    nearest_personas,
    read_personas,
    with_nearest_personas,
    with_random_persona,
)
from sdg.request_rows import with_specs
from sdg.schemas import REQUESTS

THREE = Personas(("a baker", "a judge", "a nurse"), 0, 0)


def file_of(path: Path, content: str | bytes) -> PersonaConfig:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return PersonaConfig(path=str(path))


def requests_of(count: int) -> pa.Table:
    rows = [
        {
            "request_id": f"r{n}",
            "task": "t",
            "source_doc_id": f"d{n}",
            "document_language": "eng-Latn",
            "query_language": "eng-Latn",
            "topic": "",
            "generator": "m",
            "seed": n,
            "num_candidates": 1,
            "spec": '{"kept":1}',
        }
        for n in range(count)
    ]
    return with_specs(
        pa.Table.from_pylist(rows, schema=REQUESTS), [{"kept": n} for n in range(count)], 1
    )


def specs_of(requests: pa.Table) -> list[dict[str, Any]]:
    return [json.loads(spec) for spec in requests["spec"].to_pylist()]


def test_each_persona_is_read_once_whatever_the_order_and_ends_of_lines(tmp_path: Path) -> None:
    one = read_personas(file_of(tmp_path / "a.txt", "a nurse\n\n  a baker \nA Baker!\n"))
    two = read_personas(file_of(tmp_path / "b.txt", "\ufeffa baker\r\nA Baker!\r\n\r\na nurse"))
    assert one.texts == two.texts == ("A Baker!", "a nurse")
    assert (one.duplicates, one.empty) == (two.duplicates, two.empty) == (1, 1)
    assert one.identity() == two.identity()
    other = read_personas(file_of(tmp_path / "c.txt", "a nurse\nA Baker\n"))
    assert other.identity() != one.identity()


def test_personas_of_parquet_are_those_of_the_column(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pl.DataFrame({"who": ["a nurse", None, "a baker"], "n": [1, 2, 3]}).write_parquet(path)
    found = read_personas(PersonaConfig(path=str(path), column="who"))
    assert (found.texts, found.empty) == (("a baker", "a nurse"), 1)
    for column, says in (("persona", "'persona'"), ("n", "must hold strings")):
        with pytest.raises(DataError, match=says):
            read_personas(PersonaConfig(path=str(path), column=column))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "at least one persona"),
        ("\n \n", "at least one persona, but its 2 lines are empty"),
        (b"a nurse\n\xff\xfe\n", "UTF-8"),
        ("a nurse\na \x1b[31mred\x1b[0m judge\n", r"number 2 holds '\\x1b'"),
        ("a nurse\na\x0bjudge\n", r"number 2 holds '\\x0b'"),
        ("a\tnurse\n", r"number 1 holds '\\t'"),
        ("a\u2028nurse\n", r"number 1 holds '\\u2028'"),
        ("a nurse\n" + "x" * 1001 + "\n", "number 2 has 1001"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(
    tmp_path: Path, content: str | bytes, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        read_personas(file_of(tmp_path / "p.txt", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for name in ("no.txt", "no.parquet"):
        with pytest.raises(DataError, match=name):
            read_personas(PersonaConfig(path=str(tmp_path / name)))


def test_the_packaged_personas_are_many_and_all_different() -> None:
    found = read_personas(PersonaConfig(path="packaged"))
    assert len(found.texts) >= 60
    assert (found.duplicates, found.empty) == (0, 0)


def test_a_random_persona_joins_the_spec_and_makes_another_request() -> None:
    before = requests_of(300)
    after = with_random_persona(before, THREE, 1)
    drawn = Counter(spec["persona"] for spec in specs_of(after))
    assert set(drawn) == set(THREE.texts)
    assert min(drawn.values()) > 70
    assert {spec["kept"] for spec in specs_of(after)} == set(range(300))
    for column in ("request_id", "seed"):
        assert set(after[column].to_pylist()).isdisjoint(before[column].to_pylist())
        assert len(set(after[column].to_pylist())) == 300


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 12))
def test_personas_depend_neither_on_the_order_nor_on_the_cut_of_requests(
    order: list[int], cut: int
) -> None:
    before = requests_of(12)
    whole = with_random_persona(before, THREE, 1)
    shuffled = with_random_persona(before.take(order), THREE, 1)
    parts = [with_random_persona(p, THREE, 1) for p in (before.slice(0, cut), before.slice(cut))]
    assert shuffled.equals(whole)
    assert pa.concat_tables(parts).sort_by("request_id").equals(whole.sort_by("request_id"))


def test_nearest_personas_join_the_spec_in_their_order() -> None:
    before = requests_of(2)
    after = with_nearest_personas(before, THREE, np.array([[2, 0], [1, 2]]), 1)
    by_kept = {spec["kept"]: spec["personas"] for spec in specs_of(after)}
    first, second = specs_of(before)
    assert by_kept[first["kept"]] == ["a nurse", "a baker"]
    assert by_kept[second["kept"]] == ["a judge", "a nurse"]
    with pytest.raises(ContractError, match="Each of 2 requests"):
        with_nearest_personas(before, THREE, np.array([[0]]), 1)


def units(rows: int, dimension: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@settings(max_examples=30, deadline=None)
@given(
    documents=st.integers(0, 9),
    personas=st.integers(1, 30),
    top_k=st.integers(1, 7),
    block=st.integers(1, 11),
    seed=st.integers(0, 99),
)
def test_the_nearest_are_those_of_a_plain_sort_whatever_the_blocks(
    documents: int, personas: int, top_k: int, block: int, seed: int
) -> None:
    about, asking = units(documents, 8, seed), units(personas, 8, seed + 1)
    # Equal personas, and one that the encoder finds nothing in.
    asking[personas // 2] = asking[0]
    asking[-1] = 0
    scores = about.astype(np.float64) @ asking.astype(np.float64).T
    expected = np.argsort(-np.round(scores, 9), axis=1, kind="stable")[:, :top_k]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_REQUESTS", max(block // 2, 1))
        patch.setattr(module, "_BLOCK_PERSONAS", block)
        found = nearest_personas(about, asking, top_k)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("count", [1, 7, 80, 1000, 3000])
def test_between_equal_personas_the_first_ones_are_chosen(count: int) -> None:
    """More are equal than are scored again; the last kind is one in which nothing is found."""
    kinds = np.random.default_rng(count).integers(0, 3, count)
    three = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    about = np.array([[0.8, 0.6], [0.6, 0.8], [0, 0]], np.float32)
    found = nearest_personas(about, three[kinds], 2)
    expected = np.argsort(-(about @ three[kinds].T), axis=1, kind="stable")[:, :2]
    assert found.tolist() == expected.tolist()
