"""The settings of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from data_cards.audit.gates import Gate, check_gates, parse_gates
from data_cards.audit.metric import METRICS, Metric
from mining.encoders import ENCODERS, Encoder
from sdg.part import Part, Plugin
from sdg.registry import Registry


def _dump(registry: Registry[Any], plugin: Any) -> Any:  # noqa: ANN401 - a plug-in, a word, None
    if not isinstance(plugin, Plugin):
        return plugin
    return {registry.key: plugin.name, **plugin.model_dump(mode="json")}


AnyMetric = Annotated[
    Metric, BeforeValidator(METRICS.build), PlainSerializer(lambda m: _dump(METRICS, m))
]
AuditEncoder = Annotated[
    Encoder | Literal["own"] | None,
    BeforeValidator(lambda v: v if isinstance(v, str) or v is None else ENCODERS.build(v)),
    PlainSerializer(lambda e: _dump(ENCODERS, e)),
]


class AuditConfig(Part):
    """What is measured, and which figures are too high or too low.

    Attributes:
        enabled: Of a build: audit what was published. It costs minutes on a million rows, and
            `pairmill audit` can do it later, so a build does not unless it is asked to; own.
        metrics: Entries `{metric: name, ...}`; empty measures all there are, with their defaults.
        gates: `max_<figure>` or `min_<figure>` -> limit; the figure as `<metric>.<figure>`, or
            alone where one metric has it. An estimate is compared as it is, whatever its interval.
            A gate on a metric that was skipped fails.
        max_findings: Listed per reason; the count of all is given, too. 1,000 (own) are what a
            person can look through.
        reference: A file of texts written by people to compare queries with: text with one per
            line, or Parquet or JSON Lines with a column `query` or `text`; "" for none.
        encoder: For metrics that compare meanings: an encoder, "own" for the one that a Pairmill
            data set was mined with (none if it cannot be had here, and the report says so), or
            null for none.
    """

    enabled: bool = False
    metrics: tuple[AnyMetric, ...] = ()
    gates: dict[str, float] = Field(default={})
    max_findings: int = Field(default=1000, ge=1)
    reference: str = ""
    encoder: AuditEncoder = "own"

    @field_validator("gates", mode="before")
    @classmethod
    def _join_keys(cls, value: Any) -> Any:  # noqa: ANN401 - what the file holds
        """Return `max_a: {b: 1}`, as `--set gates.max_a.b=1` gives, as `max_a.b: 1`."""
        if not isinstance(value, Mapping):
            return value
        joined: dict[str, Any] = {}
        for key, limit in value.items():
            if isinstance(limit, Mapping):
                joined |= {f"{key}.{name}": inner for name, inner in limit.items()}
            else:
                joined[key] = limit
        return joined

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        names = [metric.name for metric in self.metrics]
        if len(set(names)) != len(names):
            raise ValueError(f"`metrics` must name each metric once, but names {names}.")
        if self.reference and not Path(self.reference).is_file():
            raise ValueError(
                f"`reference` must be a file of texts, but {self.reference!r} does not exist."
            )
        if self.gates:
            check_gates(self.limits, self.chosen)
        return self

    @property
    def chosen(self) -> tuple[Metric, ...]:
        """Return the metrics to measure, in their order."""
        return self.metrics or tuple(METRICS.build({METRICS.key: name}) for name in METRICS)

    @property
    def limits(self) -> tuple[Gate, ...]:
        """Return the gates."""
        return parse_gates(self.gates)
