"""Gates: limits on figures. One that is broken fails the command, and says which rows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, cast

from data_cards.audit.measurement import Figure, Measurement
from data_cards.audit.metric import METRICS, Metric
from sdg.errors import ConfigError

Bound = Literal["max", "min"]


class Gate(NamedTuple):
    """A limit on one figure.

    Attributes:
        bound: "max": the figure must be at most `limit`; "min": at least.
        figure: `<metric>.<figure>`, or `<figure>` where only one metric has it.
        limit: Keeps the gate if it is met exactly.
    """

    bound: Bound
    figure: str
    limit: float

    @property
    def key(self) -> str:
        """Return how the gate is written in a configuration."""
        return f"gates.{self.bound}_{self.figure}"


class GateResult(NamedTuple):
    """What became of one gate.

    Attributes:
        figure: `<metric>.<figure>`; as written in the configuration if nothing was measured.
        bound: As in `Gate`.
        limit: As in `Gate`.
        value: Of the figure; None if its metric was skipped. An estimate is compared as it is, not
            by the ends of its interval.
        low: Lower end of the 95 % interval, if it is an estimate.
        high: Upper end.
        passed: Whether the limit is kept; False if nothing was measured.
        reason: Why nothing was measured; "" otherwise.
    """

    figure: str
    bound: Bound
    limit: float
    value: float | None
    low: float | None
    high: float | None
    passed: bool
    reason: str = ""


# Of a figure that its metric states, but does not give for this data.
NOT_GIVEN = "this data does not give it"


def parse_gates(limits: Mapping[str, float]) -> tuple[Gate, ...]:
    """Return the gates of a configuration, `max_<figure>` or `min_<figure>` -> limit, by key.

    Raises:
        ConfigError: If a key begins with neither.
    """
    gates = []
    for key, limit in sorted(limits.items()):
        bound, _, figure = key.partition("_")
        if bound not in {"max", "min"} or not figure:
            raise ConfigError(
                f"`gates` must have keys max_<figure> or min_<figure>, but one is {key!r} instead. "
                "Example: max_false_negative_rate: 0.1."
            )
        gates.append(Gate(cast(Bound, bound), figure, float(limit)))
    return tuple(gates)


def check_gates(gates: Sequence[Gate], metrics: Sequence[Metric]) -> None:
    """Refuse gates that no figure can be meant by, before anything is measured.

    A metric that does not state its figures may have any; such gates are checked afterwards.

    Raises:
        ConfigError: If a metric or figure is unknown, or several metrics have the figure.
    """
    stated = {metric.name: metric.figures for metric in metrics}
    for gate in gates:
        metric, dot, figure = gate.figure.partition(".")
        if dot and metric not in stated:
            raise _unknown(gate, [f"{name}.{figure}" for name in stated], metric)
        asked = {metric: stated[metric]} if dot else stated
        having = [n for n, figures in asked.items() if _has(figures, figure if dot else metric)]
        if len(having) > 1:
            raise _ambiguous(gate, having)
        if not having and all(asked.values()):
            raise _unknown(gate, _dotted(stated) if dot else _dotted(stated) + _plain(stated))


def judge_gates(
    gates: Sequence[Gate], measured: Mapping[str, Measurement], metrics: Sequence[Metric]
) -> tuple[GateResult, ...]:
    """Return what became of every gate, in their order.

    Args:
        gates: Limits.
        measured: Metric -> what it said.
        metrics: The same metrics, for the figures that they state and this data does not give.

    Raises:
        ConfigError: If a figure is unknown, or several metrics have it.
    """
    figures = {
        f"{name}.{figure.name}": figure
        for name, measurement in measured.items()
        for figure in measurement.figures
    }
    stated = {metric.name: metric.figures for metric in metrics}
    return tuple(_judge(gate, figures, stated, measured) for gate in gates)


def _judge(
    gate: Gate,
    figures: Mapping[str, Figure],
    stated: Mapping[str, Sequence[str]],
    measured: Mapping[str, Measurement],
) -> GateResult:
    metric, dot, own = gate.figure.partition(".")
    found = [full for full in figures if full == gate.figure or (not dot and _name(full) == metric)]
    if len(found) > 1:
        raise _ambiguous(gate, [full.partition(".")[0] for full in found])
    if found:
        figure = figures[found[0]]
        value = float(figure.value)
        passed = value <= gate.limit if gate.bound == "max" else value >= gate.limit
        return GateResult(found[0], gate.bound, gate.limit, value, figure.low, figure.high, passed)
    skipped = [name for name in stated if measured[name].skipped]
    if dot:
        meant = [n for n in stated if n == metric and (n in skipped or _has(stated[n], own))]
    else:
        meant = [n for n, names in stated.items() if _has(names, metric)]
        # A skipped metric that does not state its figures may have this one.
        meant = meant or [n for n in skipped if not stated[n]]
    if not meant:
        raise _unknown(gate, [*figures, *map(_name, figures)])
    reason = "; ".join(f"{n}: {measured[n].skipped or NOT_GIVEN}" for n in meant)
    full = gate.figure if dot or len(meant) > 1 else f"{meant[0]}.{metric}"
    return GateResult(full, gate.bound, gate.limit, None, None, None, passed=False, reason=reason)


def _name(full: str) -> str:
    return full.partition(".")[2]


def _has(stated: Sequence[str], figure: str) -> bool:
    return any(fnmatchcase(figure, pattern) for pattern in stated)


def _dotted(stated: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{metric}.{figure}" for metric, figures in stated.items() for figure in figures]


def _plain(stated: Mapping[str, Sequence[str]]) -> list[str]:
    return [figure for figures in stated.values() for figure in figures]


def _ambiguous(gate: Gate, metrics: Iterable[str]) -> ConfigError:
    name = gate.figure.rpartition(".")[2]
    options = " or ".join(f"{gate.bound}_{metric}.{name}" for metric in sorted(metrics))
    return ConfigError(
        f"`{gate.key}` must name one figure, but several metrics have one of that name. "
        f"Write {options}."
    )


def _unknown(gate: Gate, known: Sequence[str], metric: str = "") -> ConfigError:
    close = difflib.get_close_matches(gate.figure, known, n=3)
    hint = f"Did you mean {' or '.join(f'{gate.bound}_{name}' for name in close)}?" if close else ""
    if not close:
        hint = f"Known figures: {', '.join(sorted(set(known))[:20])}."
    if metric and metric in set(METRICS):
        hint = f"Add `metric: {metric}` to `metrics`."
    return ConfigError(
        f"`{gate.key}` must name a figure that is measured, but there is none called "
        f"{gate.figure!r}. {hint}"
    )
