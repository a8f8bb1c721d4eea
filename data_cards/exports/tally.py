"""The conservation law of an export: what came in was written, or left out for a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdg.errors import ContractError


@dataclass(frozen=True, slots=True)
class Count:
    """Rows, positives or negatives: `given == written + sum(left_out)`.

    Attributes:
        given: Came in.
        written: Went out, each counted once however many lines it is in.
        left_out: Did not, by reason.
    """

    given: int = 0
    written: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.given != self.written + sum(self.left_out.values()):
            raise ContractError(
                f"What came in must equal what was written + left out, but {self.given} came in, "
                f"{self.written} were written and {dict(self.left_out)} left out. "
                "The export format loses or invents rows."
            )

    def __add__(self, other: Count) -> Count:
        """Return the counts of both together."""
        left_out = Counter(self.left_out) + Counter(other.left_out)
        return Count(
            self.given + other.given, self.written + other.written, dict(sorted(left_out.items()))
        )

    def to_json(self) -> dict[str, Any]:
        """Return the count as JSON."""
        return {"in": self.given, "written": self.written, "left_out": dict(self.left_out)}


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some rows and of their documents.

    Attributes:
        rows: Rows of the data set.
        positives: Their positives.
        negatives: Their negatives.
        lines: Output -> lines written from rows.
        notes: Other whole numbers worth reporting, by name; not conserved.
    """

    rows: Count = Count()
    positives: Count = Count()
    negatives: Count = Count()
    lines: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        """Return the tally of both together."""
        return Tally(
            self.rows + other.rows,
            self.positives + other.positives,
            self.negatives + other.negatives,
            _sum(self.lines, other.lines),
            _sum(self.notes, other.notes),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the tally as JSON."""
        return {
            "rows": self.rows.to_json(),
            "positives": self.positives.to_json(),
            "negatives": self.negatives.to_json(),
            "lines": dict(self.lines),
            "notes": dict(self.notes),
        }


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
