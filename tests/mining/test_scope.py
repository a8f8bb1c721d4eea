"""The part of a corpus that is searched for each query."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mining.scope import Asked, Scope, parts_of

CODES = st.lists(st.integers(-1, 3), min_size=1, max_size=12)
SETS = st.one_of(st.none(), st.sets(st.integers(0, 4)).map(lambda own: tuple(sorted(own))))
RULE = st.tuples(st.booleans(), st.lists(SETS, min_size=5, max_size=5))


@given(st.lists(CODES, min_size=2, max_size=2), st.lists(RULE, min_size=2, max_size=2))
def test_every_query_is_in_one_part_which_is_what_all_its_scopes_allow(
    columns: list[list[int]], rules: list[tuple[bool, list[tuple[int, ...] | None]]]
) -> None:
    size = min(map(len, columns))
    codes = [np.array(column[:size], np.int32) for column in columns]
    scopes = [
        Scope.of(own, sets, same=same) for own, (same, sets) in zip(codes, rules, strict=True)
    ]
    found: dict[int, list[int]] = {}
    for rows, queries in parts_of(scopes):
        inside = list(range(size)) if rows is None else rows.tolist()
        assert not found.keys() & set(queries.tolist())
        found.update(dict.fromkeys(queries.tolist(), inside))

    def is_allowed(query: int, row: int) -> bool:
        wanted = [(sets[query], same) for same, sets in rules]
        return all(
            own is None or (codes[column][row] in own) == same
            for column, (own, same) in enumerate(wanted)
        )

    assert found == {
        query: [row for row in range(size) if is_allowed(query, row)] for query in range(5)
    }


def test_a_querys_codes_are_those_of_its_positives_each_once_and_no_missing_ones() -> None:
    asked = Asked(["", "", "", ""], np.array([0, 3, 4, 5, 7]), np.array([4, 1, 0, 2, 3, 3, 2]))
    codes = np.array([5, 2, -1, 0, 2], np.int32)
    assert asked.positive_codes(codes) == [(2, 5), (), (0,), (0,)]


def test_queries_with_one_set_share_a_part_and_unrestricted_ones_search_everything() -> None:
    codes = np.array([1, 0, 1], np.int32)
    scope = Scope.of(codes, [(1,), None, (1,), ()], same=True)
    parts = [(None if r is None else r.tolist(), q.tolist()) for r, q in parts_of([scope])]
    assert parts == [(None, [1]), ([0, 2], [0, 2]), ([], [3])]
