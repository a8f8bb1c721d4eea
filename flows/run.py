"""One run: submits a stage's shards, waits, keeps time, and remembers what came out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from flows.asking import scope_of
from flows.outcome import StageOutcome, summarise
from flows.progress import stage_progress
from flows.resources import stop_if_pending
from sdg.shards import Counts, Shard


class Run:
    """The stages of one run, in the order they were done.

    Attributes:
        stages: So far.
        scopes: Of all their shards, as the journal's ledger knows them.
    """

    def __init__(self) -> None:
        self.stages: list[StageOutcome] = []
        self.scopes: set[str] = set()
        self._pending = 0.0

    def stage(
        self,
        name: str,
        unit: str,
        task: Any,  # noqa: ANN401 - Prefect's task
        calls: Iterable[Sequence[Any]],
        *,
        total: int = 0,
        steps: str = "",
    ) -> list[Shard]:
        """Run `task` once per element of `calls` and return its shards in that order.

        A stage of a name that was there before, in an earlier round, joins it.

        Args:
            name: The stage, as in the manifest.
            unit: What its rows are.
            task: Returns one shard or a list of them.
            calls: Positional arguments of each call.
            total: Steps expected, for the progress bar; 0 if unknown.
            steps: What the progress bar counts; "" for the unit.

        Raises:
            BackendError: If an engine waits for somebody to answer what it wrote down.
        """
        shards = self.shards(name, steps or unit, task, calls, total=total)
        self.add(name, unit, shards)
        return shards

    def shards(
        self,
        name: str,
        steps: str,
        task: Any,  # noqa: ANN401 - Prefect's task
        calls: Iterable[Sequence[Any]],
        *,
        total: int = 0,
    ) -> list[Shard]:
        """Run `task` once per element of `calls`; its time counts for the next stage.

        Args:
            name: What the progress bar says is done.
            steps: What it counts.
            task: Returns one shard or a list of them.
            calls: Positional arguments of each call.
            total: Steps expected; 0 if unknown.

        Raises:
            BackendError: If an engine waits for somebody to answer what it wrote down.
        """
        start = time.monotonic()
        with stage_progress(name, steps, total):
            futures = [task.submit(*arguments) for arguments in calls]
            results = [future.result() for future in futures]
        shards = [s for r in results for s in (r if isinstance(r, list) else [r])]
        stop_if_pending()
        self.scopes.update(scope_of(shard.folder) for shard in shards)
        self._pending += time.monotonic() - start
        return shards

    def add(
        self, name: str, unit: str, shards: Sequence[Shard], asked_before: Sequence[Shard] = ()
    ) -> None:
        """Remember a stage whose shards are done.

        Args:
            name: The stage.
            unit: What its rows are.
            shards: Its shards.
            asked_before: Shards of its preparations: their tokens and what they left unanswered
                count for the stage.
        """
        done = summarise(name, unit, shards, self._pending)
        for shard in asked_before:
            done = replace(done, counts=done.counts + Counts(extra=shard.counts.extra))
        self._pending = 0.0
        for place, stage in enumerate(self.stages):
            if stage.name == name:
                self.stages[place] = stage.joined_by(done)
                return
        self.stages.append(done)

    def merge_last_two(self, name: str) -> None:
        """Make one stage of the last two: what the second rejects was kept by the first."""
        first, second = self.stages[-2:]
        before, after = first.counts, second.counts
        counts = Counts(
            before.rows_in,
            after.kept,
            dict(sorted((Counter(before.rejected) + Counter(after.rejected)).items())),
            dict(sorted((Counter(before.extra) + Counter(after.extra)).items())),
        )
        self.stages[-2:] = [
            StageOutcome(
                name,
                first.unit,
                counts,
                first.seconds + second.seconds,
                first.computed + second.computed,
                first.shards + second.shards,
            )
        ]

    def once(
        self,
        task: Any,  # noqa: ANN401 - Prefect's task
        *arguments: Any,  # noqa: ANN401
        total: int = 0,
        **named: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Run `task` once; its time counts for the next stage.

        Args:
            task: Its name is what the progress bar says is done.
            arguments: Of the task.
            total: Documents or rows that it counts; 0 if unknown.
            named: Of the task.
        """
        start = time.monotonic()
        with stage_progress(task.name, "rows", total):
            result = task.submit(*arguments, **named).result()
        self._pending += time.monotonic() - start
        stop_if_pending()
        if isinstance(result, Shard):
            self.scopes.add(scope_of(result.folder))
        return result
