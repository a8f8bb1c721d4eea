"""Variations: what is asked about accepted queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa
from pydantic import BeforeValidator, Field, PlainSerializer

from sdg.part import Part
from sdg.plan import _dump_task
from sdg.schemas import StageResult
from sdg.tasks import TASKS, Task

AnyTask = Annotated[Task, BeforeValidator(TASKS.build), PlainSerializer(_dump_task)]


class Variation(Part):
    """One task over accepted queries."""

    task: AnyTask
    generator: str = ""
    generators: dict[str, Annotated[float, Field(gt=0)]] = Field(default={})
    prepared_by: str = ""

    @property
    def engines(self) -> set[str]:
        """Return the names of all generators that are asked."""
        return {n for n in (self.generator, *self.generators, self.prepared_by) if n}


def plan_variations(rows: pa.Table, variations: Sequence[Variation], seed: int) -> StageResult:
    """Return REQUESTS."""
    raise NotImplementedError
