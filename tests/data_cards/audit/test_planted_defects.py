"""Every defect is found at the rate at which it was planted, and the clean copy stays quiet.

A new defect is one planter and one line in `benchmarks.planted_defects.DEFECTS`.
"""

from __future__ import annotations

import pytest

from benchmarks.planted_defects import DEFECTS, Defect, clean_rows, examine, render, spare_rows
from data_cards.audit.metric import METRICS

# Detecting languages takes tens of seconds.
_SLOW = {"languages"}


@pytest.mark.parametrize(
    "defect",
    [
        pytest.param(
            defect,
            id=defect.name,
            marks=[pytest.mark.slow] if defect.metric in _SLOW else [],
        )
        for defect in DEFECTS
    ],
)
def test_planted_share_is_found_and_the_clean_copy_is_quiet(defect: Defect) -> None:
    outcome = examine(defect)
    assert outcome.planted > 0
    assert outcome.is_found and outcome.is_quiet, render([outcome])
    # An interval so wide that it holds anything finds nothing.
    assert outcome.found.low is None or outcome.found.low > outcome.clean.value


def test_clean_rows_share_no_text_with_the_spare_ones() -> None:
    clean, spare = ({row["query"] for row in rows} for rows in (clean_rows(), spare_rows()))
    assert (len(clean), len(spare), clean & spare) == (600, 600, set())


def test_every_defect_names_a_metric_that_is_registered() -> None:
    assert {defect.metric for defect in DEFECTS} <= set(METRICS)
