"""What a thinking model writes before its answer: taken off the answer, and counted.

Servers with a reasoning parser hand it over in a field of its own; without one it stands in the
text, between `<think>` and `</think>`. Chat templates may write the first tag themselves, so that
the text begins inside.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_OPEN: Final = re.compile(r"\s*<think>")
_CLOSE: Final = "</think>"


class Split(NamedTuple):
    """A reply in its two parts.

    Attributes:
        reasoning: What was thought, without tags.
        answer: The rest; "" if the reply ends before its reasoning does.
    """

    reasoning: str
    answer: str


def split_reasoning(text: str) -> Split:
    """Return reasoning and answer; text that does not begin with reasoning is returned as it is."""
    opened = _OPEN.match(text)
    head, closed, rest = text.partition(_CLOSE)
    if opened:
        thought = (head if closed else text)[opened.end() :]
        return Split(thought.strip(), rest.lstrip())
    return Split(head.strip(), rest.lstrip()) if closed else Split("", text)


def share_of_tokens(reasoning: str, answer: str, tokens: int) -> int:
    """Return how many of a reply's `tokens` are reasoning, in proportion to the letters."""
    letters = len(reasoning) + len(answer)
    return round(tokens * len(reasoning) / letters) if letters else 0
