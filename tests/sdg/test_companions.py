"""Companions: which further documents a query over several documents is given."""

from __future__ import annotations

from random import Random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sdg.companions import with_companions

_COLUMNS = ("doc_id", "parent_id", "topic", "language", "draw")


def rows_of(*rows: tuple[str, str, str, str, int]) -> pl.DataFrame:
    return pl.DataFrame([dict(zip(_COLUMNS, row, strict=True)) for row in rows])


def companions(frame: pl.DataFrame) -> dict[str, list[str]]:
    return dict(zip(frame["doc_id"].to_list(), frame["companions"].to_list(), strict=True))


ROWS = rows_of(
    ("a", "pa", "sea", "eng", 3),
    ("b", "pb", "sea", "eng", 1),
    ("c", "pc", "sea", "eng", 2),
    ("d", "pc", "sea", "eng", 4),
    ("e", "pe", "hills", "eng", 5),
    ("f", "pf", "sea", "fra", 6),
)


def test_companions_share_the_topic_and_are_the_next_ones_in_the_circle_of_draws() -> None:
    assert companions(with_companions(ROWS, "topic", 1)) == {"b": ["c"], "c": ["a"], "a": ["b"]}
    assert companions(with_companions(ROWS, "topic", 2))["b"] == ["c", "a"]


def test_a_group_without_enough_documents_has_none() -> None:
    assert with_companions(ROWS, "topic", 3).is_empty()
    assert companions(with_companions(ROWS, "language", 3)).keys() == {"a", "b", "c", "e"}


def test_companions_of_one_parent_are_its_own_pieces() -> None:
    assert companions(with_companions(ROWS, "parent", 1)) == {"c": ["d"], "d": ["c"]}


@given(
    st.lists(
        st.tuples(st.sampled_from("pqrs"), st.sampled_from("xy"), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 3),
    st.randoms(),
)
def test_no_document_is_its_own_companion_and_order_changes_nothing(
    rows: list[tuple[str, str, int]], count: int, random: Random
) -> None:
    made = [(f"d{i}", parent, topic, "eng", draw) for i, (parent, topic, draw) in enumerate(rows)]
    found = companions(with_companions(rows_of(*made), "topic", count))
    parents = {row[0]: row[1] for row in made}
    for doc_id, others in found.items():
        assert len({doc_id, *others}) == count + 1
        assert len({parents[one] for one in (doc_id, *others)}) == count + 1
    random.shuffle(made)
    assert companions(with_companions(rows_of(*made), "topic", count)) == found
