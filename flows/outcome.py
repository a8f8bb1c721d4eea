"""What a run hands back: counts, seconds and figures per stage. Kept out of the published files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_cards.records import StageRecord
from sdg.shards import Counts, Shard


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """One stage of one run.

    Attributes:
        name: The stage.
        unit: What its rows are.
        counts: Over all its shards.
        seconds: Wall time in this run.
        computed: Shards computed in this run; the others were found finished.
        shards: All its shards.
    """

    name: str
    unit: str
    counts: Counts
    seconds: float
    computed: int
    shards: int

    def joined_by(self, other: StageOutcome) -> StageOutcome:
        """Return this stage with another round of it."""
        return StageOutcome(
            self.name,
            self.unit,
            self.counts + other.counts,
            self.seconds + other.seconds,
            self.computed + other.computed,
            self.shards + other.shards,
        )


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """One finished run.

    Attributes:
        directory: The published data set.
        stages: In the order of the flow.
        figures: Rows, shards, languages, LLM requests sent, tokens/s, peak memory and the like.
        was_current: True if the data set was already what the configuration asks for.
        failed_gates: One sentence per gate of the audit that is broken.
    """

    directory: Path
    stages: tuple[StageOutcome, ...]
    figures: dict[str, Any] = field(default_factory=dict)
    was_current: bool = False
    failed_gates: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the outcome for `--json`."""
        return {
            "directory": str(self.directory),
            "card": str(self.directory / "README.md"),
            "was_current": self.was_current,
            "failed_gates": list(self.failed_gates),
            "figures": self.figures,
            "stages": [
                {
                    "name": s.name,
                    "unit": s.unit,
                    "seconds": round(s.seconds, 3),
                    "computed": s.computed,
                    "shards": s.shards,
                    **s.counts.to_json(),
                }
                for s in self.stages
            ],
        }


def summarise(name: str, unit: str, shards: Sequence[Shard], seconds: float) -> StageOutcome:
    """Return the outcome of a stage from its shards."""
    counts = Counts()
    for shard in shards:
        counts = counts + shard.counts
    computed = sum(shard.was_computed for shard in shards)
    return StageOutcome(name, unit, counts, seconds, computed, len(shards))


def outcomes_of(stages: Iterable[StageRecord]) -> tuple[StageOutcome, ...]:
    """Return the stages that a manifest tells of, as a run that did nothing gives them."""
    return tuple(
        StageOutcome(s.name, s.unit, Counts(s.rows_in, s.kept, s.rejected, s.extra), 0.0, 0, 0)
        for s in stages
    )
