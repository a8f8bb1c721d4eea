from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from data_cards.probe.batches import plan_batches

_ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["", "x", "y"])), min_size=1)


@given(_ROWS, st.integers(2, 6), st.integers(1, 12), st.integers(0, 99))
def test_no_two_rows_of_a_step_share_a_document_or_a_group(
    rows: list[tuple[str, str]], batch_size: int, steps: int, seed: int
) -> None:
    documents, groups = [row[0] for row in rows], [row[1] for row in rows]
    batches = plan_batches(documents, groups, batch_size, steps, seed)
    assert batches == plan_batches(documents, groups, batch_size, steps, seed)
    assert len(batches) == steps
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert len({documents[row] for row in batch}) == len(batch)
        named = [groups[row] for row in batch if groups[row]]
        assert len(set(named)) == len(named)


def test_every_row_is_seen_equally_often() -> None:
    documents = [str(number) for number in range(40)]
    batches = plan_batches(documents, [""] * 40, 8, 15, 1)
    assert set(Counter(row for batch in batches for row in batch).values()) == {3}
