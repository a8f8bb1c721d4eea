"""The prompt of a judge in one language, and texts that cannot leave their place in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import prompts
from sdg.errors import ConfigError
from sdg.judge import Candidate
from sdg.prompt_choice import choose_prompt

_TAG = re.compile(r"<(?=\s*/?\s*(?:document|known_answer|query)\b)", re.IGNORECASE)


@cache
def load_wording(task: str, language: str) -> prompts.Prompt:
    """Return the prompt for `language`, the English one if it has none; read once per process.

    Raises:
        ConfigError: If there is none, or it is damaged.
    """
    try:
        return choose_prompt(task, language).prompt
    except ConfigError as error:
        raise ConfigError(
            f"The judge {task!r} must have a prompt for {language!r}, but: {error} "
            "Or set the judge's `prompt_language` to one that exists: "
            f"{', '.join(prompts.languages(task)) or 'none'}."
        ) from error


def inert(text: str) -> str:
    """Return `text` with its white space folded and unable to open or close a marker."""
    return _TAG.sub("< ", " ".join(text.split()))


def known_answers(texts: Sequence[str]) -> str:
    """Return the known positives, each between its markers."""
    return "\n".join(f"<known_answer>\n{inert(text)}\n</known_answer>" for text in texts)


def numbered(candidates: Sequence[Candidate]) -> str:
    """Return the candidates between markers with their numbers, from 1."""
    return "\n".join(
        f'<document number="{number}">\n{inert(candidate.text)}\n</document>'
        for number, candidate in enumerate(candidates, 1)
    )
