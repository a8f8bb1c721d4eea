"""Whether `pairmill serve` could run the flow at the times that the configuration names."""

from __future__ import annotations

from collections.abc import Iterator

from flows.checks import Question, Setup, Told
from flows.serve import schedule_of


def questions(setup: Setup) -> Iterator[Question]:
    """Ask when the flow is due, if it has a schedule."""
    schedule = setup.config.schedule
    if schedule is None:
        return

    def ask() -> Told:
        schedule_of(setup.config)
        return Told(f"{schedule.cron}, time zone {schedule.timezone}")

    yield Question("schedule", schedule.cron, "when it is due", ask)
