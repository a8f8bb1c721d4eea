"""What judging says of itself before it runs."""

from __future__ import annotations

from typing import Any

import pytest

from sdg.judge.config import JudgeConfig

GRADED = {"judge": "graded", "engine": "m"}


def _config(*judges: dict[str, Any], **more: Any) -> JudgeConfig:
    return JudgeConfig.model_validate({"enabled": True, "judges": judges, **more})


@pytest.mark.parametrize(
    ("num_negatives", "per_query"),
    [pytest.param(4, 10, id="the-pool"), pytest.param(30, 30, id="lists-longer-than-the-pool")],
)
def test_requests_are_counted_for_as_many_candidates_as_mining_gives(
    num_negatives: int, per_query: int
) -> None:
    config = _config(GRADED, pool=10)
    assert config.requests_at_most(7, num_negatives) == 7 * per_query
    second = {"judge": GRADED, "sample": 5}
    opinion = _config(GRADED, pool=10, agreement=second)
    assert opinion.requests_at_most(7, num_negatives) == 7 * per_query + 5
    assert JudgeConfig().requests_at_most(7, num_negatives) == 0
