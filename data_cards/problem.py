"""What `verify` finds."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """A broken promise.

    Attributes:
        check: Which promise: "manifest", "files", "schema", "conservation", "rows", "splits",
            "card".
        message: What must hold and what is, for people.
    """

    check: str
    message: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.check}: {self.message}"
