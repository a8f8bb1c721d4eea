"""The prompt of a scorer in one language, and the answers it offers."""

from __future__ import annotations

from functools import cache

import prompts
from sdg.errors import ConfigError
from sdg.prompt_choice import choose_prompt

_BETWEEN = " | "


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
            f"The scorer {task!r} must have a prompt for {language!r}, but: {error} "
            "Or set the scorer's `prompt_language` to one that exists: "
            f"{', '.join(prompts.languages(task)) or 'none'}."
        ) from error


def split_answers(rendered: str) -> tuple[str, tuple[str, str]]:
    """Return a rendered body without its last line, and the two answers on that line.

    The last line belongs to the prompt file ("yes | no", relevant first), whatever the document
    before it holds.

    Raises:
        ConfigError: If the last line is not two answers.
    """
    body, _, line = rendered.rpartition("\n")
    relevant, between, irrelevant = (part.strip() for part in line.partition(_BETWEEN))
    if not (body and relevant and between and irrelevant):
        raise ConfigError(
            f"The last line of a relevance prompt must be two answers like 'yes | no', but is "
            f"{line!r} instead. Correct the prompt file."
        )
    return body.rstrip(), (relevant, irrelevant)
