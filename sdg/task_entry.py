"""What every entry of a configuration says that has something asked: a task, and who is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from sdg.ids import seed_for
from sdg.part import Part
from sdg.tasks import TASKS, Task


def dump_task(task: Task) -> dict[str, Any]:
    """Return a task as a configuration file says it."""
    return {TASKS.key: task.name, **task.model_dump(mode="json")}


AnyTask = Annotated[Task, BeforeValidator(TASKS.build), PlainSerializer(dump_task)]


class TaskEntry(Part):
    """One task, by one generator or a pool of them.

    Attributes:
        task: `{task: name, **settings}`.
        generator: Name of a configured generator; "" for tasks that ask none.
        generators: In place of `generator`, a pool: name -> weight. Each request draws one;
            Nemotron's pools weigh their models equally (arXiv 2511.07025, Table 5).
        prepared_by: Generator of the questions before the question; "" for the request's own.
            With another one, one model writes the task and another the sample.
    """

    task: AnyTask
    generator: str = ""
    generators: dict[str, Annotated[float, Field(gt=0)]] = Field(default={})
    prepared_by: str = ""

    @model_validator(mode="after")
    def _check_generator(self) -> TaskEntry:
        if self.generator and self.generators:
            raise ValueError(
                f"`generator` and `generators` of task {self.task.name!r} must not both be given, "
                f"but are {self.generator!r} and {sorted(self.generators)}. Keep one of the two"
            )
        if self.task.asks_llm != bool(self.generator or self.generators):
            holds = "name a generator" if self.task.asks_llm else "be empty"
            raise ValueError(
                f"`generator` of task {self.task.name!r} must {holds}, but is {self.generator!r} "
                "instead. Tasks that an LLM writes need one, natural texts have none"
            )
        if self.prepared_by and not getattr(self.task, "num_preparations", 0):
            raise ValueError(
                f"`prepared_by` must stand beside a task with questions before the question, but "
                f"{self.task.name!r} asks one only. Leave it out"
            )
        return self

    @property
    def pool(self) -> dict[str, float]:
        """Return generator -> weight; {"": 1} for tasks that ask none."""
        return self.generators or {self.generator: 1.0}

    @property
    def engines(self) -> set[str]:
        """Return the names of all generators that are asked."""
        return {name for name in (*self.pool, self.prepared_by) if name}

    @property
    def salt(self) -> str:
        """Return what tells the random choices of two entries of one task apart."""
        return "+".join(sorted(self.pool))


def drawn_generator(pool: Mapping[str, float], drawn: int) -> str:
    """Return one generator, each as often as its weight says.

    Args:
        pool: Generator -> weight > 0.
        drawn: A seed; the same one draws the same generator.
    """
    names = sorted(pool)
    if len(names) == 1:
        return names[0]
    bounds = np.cumsum([pool[name] for name in names])
    place = seed_for(drawn, "generator") / 2**63 * bounds[-1]
    return names[min(int(np.searchsorted(bounds, place, side="right")), len(names) - 1)]
