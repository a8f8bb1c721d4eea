"""Placeholders are drawn evenly, by name and seed alone."""

from __future__ import annotations

from collections import Counter

import pytest

from sdg.tasks import TASKS, LlmTask
from sdg.tasks.placeholders import drawn

DRAWN = {
    "short_long": {
        "query_type": 3,
        "query_length": 3,
        "difficulty": 3,
        "clarity": 3,
        "num_words": 6,
    },
    "graded_documents": {
        "query_type": 3,
        "query_length": 3,
        "difficulty": 3,
        "clarity": 3,
        "num_words": 6,
    },
    "graded_for_query": {"num_words": 6},
    "long_short": {"num_words": 5, "difficulty": 3, "clarity": 3},
    "sts_triple": {"unit": 3, "high_score": 3, "low_score": 3, "difficulty": 3},
    "bitext_triple": {"unit": 3, "high_score": 3, "low_score": 3},
    "seeded_classification": {"num_words": 5},
}
SEEDS = 3000


@pytest.mark.parametrize("name", DRAWN)
def test_every_value_of_every_placeholder_is_drawn_equally_often(name: str) -> None:
    task = TASKS.build({"task": name})
    assert isinstance(task, LlmTask)
    specs = [task.draw_spec(seed, 0) for seed in range(SEEDS)]
    assert specs == [task.draw_spec(seed, 0) for seed in range(SEEDS)]
    for placeholder, count in DRAWN[name].items():
        found = Counter(spec[placeholder] for spec in specs)
        assert len(found) == count
        # Six standard deviations of a binomial draw.
        spread = 6 * (SEEDS * (1 / count) * (1 - 1 / count)) ** 0.5
        assert all(abs(times - SEEDS / count) < spread for times in found.values())


def test_draws_of_two_names_do_not_depend_on_each_other() -> None:
    pairs = Counter((drawn(s, "a", (0, 1)), drawn(s, "b", (0, 1))) for s in range(SEEDS))
    assert len(pairs) == 4
    assert min(pairs.values()) > SEEDS / 4 * 0.85


def test_a_value_that_stands_twice_is_drawn_twice_as_often() -> None:
    found = Counter(drawn(seed, "a", ("x", "x", "y")) for seed in range(SEEDS))
    assert 1.8 < found["x"] / found["y"] < 2.2
