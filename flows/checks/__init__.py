"""What `pairmill check` asks before a run: one file per kind of thing that can be wrong.

    configuration + output directory ─► every file's `questions` ─► one `Question` each ─► `ok`,
                                                                    `failed` or `skipped`

A question is one call that returns what it was told, or raises the error that the run itself would
end with: what must hold, what is, and the cure. Nothing that is asked stays on disk, and no answer
goes into the journal. To add a kind: one file here with a function `questions`, and its line in
`flows.check.KINDS`, which is their order.

Why questions and not results: the caller can say what is being asked while it waits, stop waiting,
and go on with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from data_cards.escape import printable
from flows.config import RunConfig

# Longest wait for one answer, as `timeout_seconds` of the engine `openai`.
DEFAULT_SECONDS: Final = 600.0
_SHOWN_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True)
class Setup:
    """What is checked.

    Attributes:
        config: The run's.
        directory: Where its data set would go.
        timeout_seconds: Longest wait for any answer; None leaves it to the engines' settings.
    """

    config: RunConfig
    directory: Path
    timeout_seconds: float | None = None

    def seconds_for(self, asked: object) -> float:
        """Return the longest wait for an answer of a plug-in, by its own time limits."""
        if self.timeout_seconds is not None:
            return self.timeout_seconds
        start = float(getattr(asked, "start_seconds", 0.0))
        return start + float(getattr(asked, "timeout_seconds", DEFAULT_SECONDS))


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to a question, where nothing is wrong.

    Attributes:
        text: For people; may hold untrusted text, which is made printable where it is shown.
        figures: JSON for machines.
        is_skipped: True if there was nothing that could be asked; the text says why.
    """

    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    is_skipped: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One line of the outcome.

    Attributes:
        kind: Of thing: "generator", "source", ...
        name: Which one of them.
        asked: What is asked, as it reads after "asking".
        ask: Asks; raises PairmillError if something is wrong.
        seconds: Longest wait.
        needs: Titles of questions of which at least one must be "ok" before this one makes sense.
    """

    kind: str
    name: str
    asked: str
    ask: Callable[[], Told]
    seconds: float = DEFAULT_SECONDS
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return kind and name, unique in one check."""
        return f"{self.kind} {self.name}"


def shortened(text: str) -> str:
    """Return untrusted text quoted on one line, safe for a terminal, its end cut if it is long."""
    shown = printable(text)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = f"{shown[:_SHOWN_CHARACTERS]}…"
    return f'"{shown}"'
