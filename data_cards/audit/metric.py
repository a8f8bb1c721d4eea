"""The base class of audit metrics, and what they are given beside the data."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from data_cards.audit.audited_set import AuditedSet
from data_cards.audit.measurement import Measurement
from mining.encoders import Encoder
from sdg.decontaminate import EvaluationSet
from sdg.ids import seed_for
from sdg.part import Plugin
from sdg.registry import Registry


class FalseNegativeJudge(Protocol):
    """Says whether negatives answer their query; flows makes one from the `judge:` section."""

    @property
    def name(self) -> str:
        """What the card calls it."""

    def judge(self, cases: Sequence[JudgedCase]) -> list[bool | None]:
        """Return one verdict per case: True if the candidate is relevant, None if unreadable."""


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """One sampled negative with its query and a known positive."""

    case_id: str
    query: str
    query_language: str
    positive: str
    candidate: str


@dataclass(frozen=True)
class AuditContext:
    """What metrics are given beside the data.

    Attributes:
        seed: Every draw derives from it and a name.
        max_findings: Listed per reason, own: what a person can look through.
        encoder: For metrics that compare meanings; None leaves them out, and they say so.
        judge: For the estimated rate of false negatives; None leaves that out.
        reference: Texts written by people to compare queries with; empty if none were given.
        evaluation_sets: What must not be trained on; empty if none were given.
        scratch: An empty folder for files larger than memory; None keeps all in memory.
        report: Called with (done, total) by metrics that take more than a second.
    """

    seed: int = 0
    max_findings: int = 1000
    encoder: Encoder | None = None
    judge: FalseNegativeJudge | None = None
    reference: tuple[str, ...] = ()
    evaluation_sets: tuple[EvaluationSet, ...] = ()
    scratch: Path | None = None
    report: Callable[[int, int], None] = field(default=lambda _done, _total: None)

    def sample(self, name: str, population: int, size: int) -> npt.NDArray[np.int64]:
        """Return up to `size` places of `population`, ascending, drawn without replacement.

        Args:
            name: Of what is drawn; equal names give equal draws.
            population: Places are 0 to population - 1.
            size: All places if it is at least `population`.
        """
        if size >= population:
            return np.arange(population)
        generator = np.random.Generator(np.random.PCG64(seed_for(self.seed, "audit", name)))
        return np.sort(generator.choice(population, size=size, replace=False))


class Metric(Plugin):
    """Measures one property of a data set.

    Attributes:
        title: A few words for the report.
        about: One sentence for people: what a high or low figure means for a trainer.
        figures: Names of all figures that it can give; glob patterns where they depend on the data.
            Gates are checked against them before anything is measured, and a gate on a skipped
            metric is found by them. Empty: not stated; gates are then checked afterwards.
    """

    title: ClassVar[str]
    about: ClassVar[str]
    figures: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def measure(self, data: AuditedSet, context: AuditContext) -> Measurement:
        """Return figures and findings; a data set that lacks what it needs gives `skipped`.

        Never raises for what the texts hold. Equal data, settings and seed give equal results.
        """


# Why a metric that compares meanings was skipped, and the cure.
NO_ENCODER = "no encoder was given (`--set encoder.encoder=use_multilingual` is the packaged one)"

METRICS: Registry[Metric] = Registry("metric", "data_cards.audit.metrics")
