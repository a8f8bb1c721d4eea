from __future__ import annotations

import polars as pl
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sdg.words import count_words, longest_shared_runs, share_found, split_words

LISTS = st.lists(st.sampled_from("abcd"), max_size=8)


def _longest_run(left: list[str], right: list[str]) -> int:
    runs = [
        end - start
        for start in range(len(left))
        for end in range(start + 1, len(left) + 1)
        if any(right[at : at + end - start] == left[start:end] for at in range(len(right)))
    ]
    return max(runs, default=0)


@given(st.lists(st.tuples(LISTS, LISTS), min_size=1, max_size=6))
def test_longest_shared_runs_agree_with_trying_every_run(
    rows: list[tuple[list[str], list[str]]],
) -> None:
    left, right = (
        pl.Series([row[side] for row in rows], dtype=pl.List(pl.String)) for side in (0, 1)
    )
    assert longest_shared_runs(left, right).tolist() == [_longest_run(*row) for row in rows]


@given(st.lists(st.tuples(LISTS, LISTS), min_size=1, max_size=6))
def test_share_found_agrees_with_counting(rows: list[tuple[list[str], list[str]]]) -> None:
    left, right = (
        pl.Series([row[side] for row in rows], dtype=pl.List(pl.String)) for side in (0, 1)
    )
    expected = [sum(w in r for w in q) / len(q) if q else 0.0 for q, r in rows]
    assert share_found(left, right).tolist() == expected


def test_words_are_folded_and_characters_of_spaceless_scripts_stand_alone() -> None:
    words = split_words(pa.array(["L'Été, \uff12\uff10!", "桥是a1桥", "हिन्दी", ""]))
    assert words.to_list() == [["l", "été", "20"], ["桥", "是", "a1", "桥"], ["हिन्दी"], []]
    assert count_words(words).tolist() == [3, 4, 1, 0]
