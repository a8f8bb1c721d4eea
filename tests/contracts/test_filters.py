"""What every rule on negatives must do, and what each one is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mining.filters import FILTERS, CandidateBlock
from tests.mining import visible
from tests.mining.visible import at, document

SETTINGS: dict[str, dict[str, Any]] = {}


@pytest.fixture
def block(tmp_path: Path) -> CandidateBlock:
    """Return two queries over six documents; row 0 is their positive, and 5 the second's."""
    rows = [
        document(
            "d0",
            "the red bridge over the river",
            entity_key="bridge",
            group_id="g",
            topic="bridges",
        ),
        document(
            "d1",
            "le pont rouge",
            entity_key="bridge",
            language="fra-Latn",
            topic="bridges",
            source="web",
        ),
        document("d2", "The red bridge, over the river!", group_id="other", source=""),
        document("d3", "the red bridge over the river today"),
        document("d4", "text of q0"),
        document("d5", "a quiet lake", group_id="g", topic="lakes"),
    ]
    view = visible.corpus(tmp_path, rows, {str(r["text"]): at(0) for r in rows})
    scores = np.array([[0.9, 0.88, 0.85, 0.8, 0.6, np.nan]] * 2, np.float32)
    places = np.array([[0, 1, 2, 3, 4, -1], [0, 1, 2, 3, 5, -1]])
    return CandidateBlock(
        rows=places,
        scores=scores,
        ranks=np.broadcast_to(np.arange(6), (2, 6)),
        alive=places >= 0,
        anchors=np.array([0.9, 0.9], np.float32),
        positive_rows=[np.array([0]), np.array([0, 5])],
        query_texts=["text of q0", "text of q1"],
        query_languages=["eng-Latn", "fra-Latn"],
        corpus=view,
    )


def _keep(block: CandidateBlock, name: str, **settings: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return FILTERS.build({"rule": name, **settings}).keep(block) & block.alive


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_every_rule_gives_one_verdict_per_candidate_and_never_keeps_padding(
    block: CandidateBlock, name: str
) -> None:
    before = block.scores.copy(), block.rows.copy()
    kept = FILTERS.build({"rule": name}).keep(block)
    assert kept.shape == (2, 6)
    assert kept.dtype == np.bool_
    assert not (kept & block.alive)[:, 5].any()
    assert np.array_equal(before[0], block.scores, equal_nan=True)
    assert np.array_equal(before[1], block.rows)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_every_rule_judges_a_query_by_itself(block: CandidateBlock, name: str) -> None:
    both = _keep(block, name)
    second = replace(
        block,
        rows=block.rows[1:],
        scores=block.scores[1:],
        ranks=block.ranks[1:],
        alive=block.alive[1:],
        anchors=block.anchors[1:],
        positive_rows=block.positive_rows[1:],
        query_texts=block.query_texts[1:],
        query_languages=block.query_languages[1:],
    )
    assert np.array_equal(_keep(second, name)[0], both[1])


def test_rules_have_different_reasons() -> None:
    reasons = [FILTERS[name].reason for name in FILTERS]
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize(
    ("name", "settings", "first", "second"),
    [
        ("known_positive", {}, [1, 2, 3, 4], [1, 2, 3]),
        ("same_entity", {}, [2, 3, 4], [2, 3, 4]),
        ("same_group", {}, [1, 2, 3, 4], [1, 2, 3]),
        ("exact_duplicate", {}, [1, 3], [1, 3]),
        ("near_duplicate", {"jaccard": 0.8}, [1, 4], [1]),
        ("percent", {"fraction": 0.95}, [2, 3, 4], [2, 3, 4]),
        ("margin", {"margin": 0.07}, [3, 4], [3, 4]),
        ("absolute", {"threshold": 0.7}, [4], [4]),
        ("near_duplicate", {"jaccard": 0.7, "unit": "character"}, [1, 4], [1]),
        ("near_duplicate_of_query", {"jaccard": 0.9}, [0, 1, 2, 3], [0, 1, 2, 3, 4]),
        ("near_duplicate_of_query", {"jaccard": 0.4}, [0, 1, 2, 3], [0, 1, 2, 3, 4]),
        ("percent", {"per_language": {"fra-Latn": 0.9}}, [2, 3, 4], [3, 4]),
        ("margin", {"margin": 0.04, "per_language": {"fra-Latn": 0.2}}, [2, 3, 4], [4]),
        ("absolute", {"threshold": 0.9, "per_language": {"fra-Latn": 0.8}}, [1, 2, 3, 4], [4]),
        ("attribute", {"policies": {"source": "same"}}, [0, 3, 4], [0, 3, 4]),
        ("attribute", {"policies": {"source": "other"}}, [1, 2], [1, 2]),
        ("attribute", {"policies": {"topic": "same"}}, [0, 1], [0, 1, 4]),
        ("attribute", {"policies": {"topic": "other"}}, [2, 3, 4], [2, 3]),
        ("attribute", {"policies": {"topic": "any"}}, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        (
            "attribute",
            {"policies": {"topic": "same", "source": "same"}},
            [0],
            [0, 4],
        ),
        ("floor", {"threshold": 0.8}, [0, 1, 2, 3], [0, 1, 2, 3]),
        ("same_parent", {}, [1, 2, 3, 4], [1, 2, 3]),
        ("rank_window", {"first": 1, "last": 3}, [1, 2], [1, 2]),
        ("language", {"policy": "same"}, [0, 2, 3, 4], [1]),
        ("language", {"policy": "other"}, [1], [0, 2, 3, 4]),
    ],
)
def test_each_rule_keeps_exactly_what_it_says(
    block: CandidateBlock,
    name: str,
    settings: dict[str, Any],
    first: list[int],
    second: list[int],
) -> None:
    kept = _keep(block, name, **settings)
    assert np.flatnonzero(kept[0]).tolist() == first
    assert np.flatnonzero(kept[1]).tolist() == second


@pytest.mark.parametrize("name", ["near_duplicate", "near_duplicate_of_query"])
@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_texts_are_compared_in_pieces_without_any_difference(
    block: CandidateBlock, monkeypatch: pytest.MonkeyPatch, name: str, pairs: int
) -> None:
    whole = _keep(block, name, jaccard=0.3)
    assert 0 < whole.sum() < block.alive.sum()
    monkeypatch.setattr(f"mining.filters.{name}._PAIRS", pairs)
    assert _keep(block, name, jaccard=0.3).tolist() == whole.tolist()


def test_no_unit_lets_through_what_finished_rows_may_not_hold(tmp_path: Path) -> None:
    texts = ["one two three four five", "five four three two one", "six seven eight nine ten"]
    rows = [document(f"d{number}", text) for number, text in enumerate(texts)]
    own = CandidateBlock(
        rows=np.array([[1, 2]]),
        scores=np.array([[0.8, 0.7]], np.float32),
        ranks=np.array([[0, 1]]),
        alive=np.ones((1, 2), bool),
        anchors=np.array([0.9], np.float32),
        positive_rows=[np.array([0])],
        query_texts=["a query"],
        query_languages=["eng-Latn"],
        corpus=visible.corpus(tmp_path, rows, {text: at(0) for text in texts}),
    )
    # In runs of characters the first two are far apart; their words are the same.
    kept = _keep(own, "near_duplicate", unit="character")
    assert kept.tolist() == [[False, True]]
    with pytest.raises(ValidationError, match=r"less than or equal to 0\.95"):
        FILTERS.build({"rule": "near_duplicate", "jaccard": 0.96})


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_applying_a_rule_lets_die_what_it_does_not_keep_and_counts_it(
    block: CandidateBlock, name: str
) -> None:
    rule = FILTERS.build({"rule": name})
    before = block.alive.copy()
    kept = rule.keep(block)
    dropped = np.full(2, 99)
    rule.apply(block, dropped)
    assert np.array_equal(block.alive, before & kept)
    assert dropped.tolist() == (before & ~kept).sum(axis=1).tolist()
