"""Gates: which figure is meant, and whether it keeps its limit."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.config import AuditConfig
from data_cards.audit.gates import GateResult, check_gates, judge_gates, parse_gates
from data_cards.audit.measurement import Measurement, count, share
from data_cards.audit.metric import AuditContext, Metric
from sdg.errors import ConfigError


class _Named(Metric):
    title: ClassVar[str] = "Named"
    about: ClassVar[str] = "For tests."

    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        return Measurement()


class _First(_Named):
    name: ClassVar[str] = "first"
    figures: ClassVar[tuple[str, ...]] = ("wrong_share", "both", "share_*")


class _Second(_Named):
    name: ClassVar[str] = "second"
    figures: ClassVar[tuple[str, ...]] = ("both", "false_negative_rate")


METRICS = (_First(), _Second())
MEASURED = {
    "first": Measurement(figures=(share("wrong_share", 3, 10, 1000), count("both", 4, 4))),
    "second": Measurement(skipped="no judge was configured"),
}


def _results(**gates: float) -> tuple[GateResult, ...]:
    return judge_gates(parse_gates(gates), MEASURED, METRICS)


def test_an_estimate_is_compared_as_it_is_and_reported_with_its_interval() -> None:
    (found,) = _results(max_wrong_share=0.3)
    assert (found.figure, found.value, found.passed) == ("first.wrong_share", 0.3, True)
    assert found.low is not None and found.high is not None
    assert found.low < 0.3 < found.high
    assert _results(max_wrong_share=0.29)[0].passed is False


@given(value=st.floats(-10, 10), limit=st.floats(-10, 10))
def test_a_limit_that_is_met_exactly_is_kept_in_both_directions(value: float, limit: float) -> None:
    measured = {"first": Measurement(figures=(count("both", 1, 1)._replace(value=value),))}
    gates = parse_gates({"max_both": limit, "min_both": limit})
    at_most, at_least = judge_gates(gates, measured, METRICS[:1])
    assert at_most.passed is (value <= limit)
    assert at_least.passed is (value >= limit)


@pytest.mark.parametrize("key", ["max_false_negative_rate", "max_second.false_negative_rate"])
def test_a_gate_on_a_skipped_metric_fails_with_its_reason(key: str) -> None:
    (found,) = _results(**{key: 0.5})
    assert found == GateResult(
        "second.false_negative_rate",
        "max",
        0.5,
        None,
        None,
        None,
        passed=False,
        reason="second: no judge was configured",
    )


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param("max_wrong_shar", "Did you mean max_wrong_share", id="near"),
        pytest.param("max_first.wrong_shar", "Did you mean max_first.wrong_share", id="dotted"),
        pytest.param("max_both", "max_first.both or max_second.both", id="ambiguous"),
        pytest.param("min_third.both", "none called 'third.both'", id="metric"),
        pytest.param("max_counts.rows", "Add `metric: counts`", id="not chosen"),
    ],
)
def test_a_gate_that_names_no_one_figure_is_refused_before_measuring(
    key: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_gates(parse_gates({key: 1}), METRICS)


def test_gates_on_stated_figures_and_patterns_are_accepted() -> None:
    check_gates(parse_gates({"max_first.both": 1, "min_share_of_english": 0.5}), METRICS)


def test_a_metric_that_does_not_state_its_figures_is_checked_afterwards() -> None:
    class Silent(_Named):
        name: ClassVar[str] = "silent"

    check_gates(parse_gates({"max_anything": 1}), [Silent()])
    with pytest.raises(ConfigError, match="none called 'anything'"):
        judge_gates(parse_gates({"max_anything": 1}), {"silent": Measurement()}, [Silent()])


def test_a_configuration_joins_dotted_keys_and_refuses_others() -> None:
    config = AuditConfig.model_validate(
        {"gates": {"max_counts": {"rows": 3}, "min_positives_per_row": 1}}
    )
    assert [(g.bound, g.figure, g.limit) for g in config.limits] == [
        ("max", "counts.rows", 3.0),
        ("min", "positives_per_row", 1.0),
    ]
    with pytest.raises(ConfigError, match="must have keys max_<figure> or min_<figure>"):
        AuditConfig.model_validate({"gates": {"rows": 3}})


@pytest.mark.parametrize("figure", ["share_of_cats", "first.share_of_cats"])
def test_a_figure_that_this_data_does_not_give_breaks_its_gate_and_says_so(figure: str) -> None:
    (found,) = _results(**{f"max_{figure}": 0.5})
    assert (found.figure, found.value, found.passed) == ("first.share_of_cats", None, False)
    assert found.reason == "first: this data does not give it"
