"""What every pair rule promises; a new file in mining/pair_rules/ is covered at once."""

from __future__ import annotations

from typing import Any

import pytest

from mining.pair_rules import PAIR_RULES, PairRule, judge_pairs
from tests.mining.pair_rules.runs import pair, pairs_of, verdicts_of

# What a rule without a default must be told.
SETTINGS: dict[str, dict[str, Any]] = {
    "pair_cosine": {"min_cosine": 0.5},
    "paraphrase": {"min_cosine": 0.5},
    "easiness": {"min_cell": 1},
}
ROWS = [
    pair("q0", source_score=0.9),
    pair("q1", source_score=0.4, paraphrase_of="q0", angle=80),
    pair("q2", source_score=0.8, angle=5),
    pair("q3", source_score=0.3, generator="", angle=90),
    pair("q4", source_score=0.7, paraphrase_of="q3", query="谁设计了峡谷上的桥", angle=90),
    pair("q5", source_score=0.1, query="", generator="", paraphrase_of="q0", angle=120),
    pair("q6", source_score=0.6, query_language="fra-Latn", task="other"),
]


@pytest.fixture(params=sorted(PAIR_RULES))
def rule(request: pytest.FixtureRequest) -> PairRule:
    return PAIR_RULES.build({"rule": request.param, **SETTINGS.get(request.param, {})})


def test_a_pair_rule_stops_something_here_and_says_why_in_snake_case(rule: PairRule) -> None:
    found = verdicts_of(pairs_of(ROWS), rule)
    assert found
    for reason, _ in found.values():
        assert reason.replace("_", "").isalpha() and reason == reason.lower()


def test_a_pair_rules_verdict_does_not_depend_on_the_order_of_rows(rule: PairRule) -> None:
    assert verdicts_of(pairs_of(ROWS[::-1]), rule) == verdicts_of(pairs_of(ROWS), rule)


def test_a_pair_rule_leaves_other_tasks_and_natural_pairs_alone(rule: PairRule) -> None:
    other = rule.model_copy(update={"tasks": ("another_*",)})
    assert verdicts_of(pairs_of(ROWS), other) == {}
    strict = rule.model_copy(update={"generated_only": True})
    assert {"q3", "q5"}.isdisjoint(verdicts_of(pairs_of(ROWS), strict))


def test_what_a_pair_rule_does_not_judge_changes_nothing_for_the_rest(rule: PairRule) -> None:
    """Queries of a task out of scope are no twins, and no part of a percentile."""
    scoped = rule.model_copy(update={"tasks": ("llm_*",)})
    others = [
        pair(f"x{i}", task="other", source_score=0.95, angle=i, query_language="fra-Latn")
        for i in range(9)
    ]
    assert verdicts_of(pairs_of(ROWS + others), scoped) == verdicts_of(pairs_of(ROWS), scoped)


def test_a_pair_rule_survives_a_run_of_one(rule: PairRule) -> None:
    for row in ROWS:
        assert judge_pairs(pairs_of([row]), [rule]).verdicts.num_rows <= 1


def test_a_pair_rule_reads_vectors_and_parents_only_if_it_says_so(rule: PairRule) -> None:
    run = pairs_of(ROWS)
    rows = run.rows if rule.needs_parents else run.rows.drop("parent_id")
    bare = type(run)(rows, run.vectors if rule.needs_vectors else None)
    assert judge_pairs(bare, [rule]).verdicts.equals(judge_pairs(run, [rule]).verdicts)


def test_a_pair_rules_settings_are_part_of_its_identity(rule: PairRule) -> None:
    assert rule.model_copy(update={"tasks": ("x",)}).identity() != rule.identity()
