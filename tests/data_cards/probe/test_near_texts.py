from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_cards.probe.near_texts import find_near

_TEXTS = st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=8).map(" ".join), max_size=12)


def _is_near(left: str, right: str, jaccard: float) -> bool:
    own, other = set(left.split()), set(right.split())
    return bool(own | other) and len(own & other) > jaccard * len(own | other)


@given(_TEXTS, _TEXTS, st.sampled_from([0.3, 0.5, 0.75, 0.8, 0.95]))
def test_near_texts_are_those_that_comparing_all_pairs_finds(
    texts: list[str], others: list[str], jaccard: float
) -> None:
    wanted = [any(_is_near(text, other, jaccard) for other in others) for text in texts]
    assert find_near(texts, others, jaccard).tolist() == wanted
