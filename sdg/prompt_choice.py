"""Which prompt file serves a language: its own, or the English one in its place.

    prompts/<task>/tha-Thai.md there ──yes──► that file, {query_language} = its `language_name`
                                  └─no──► prompts/<task>/eng-Latn.md, {query_language} = "Thai"

An instruction in English asks for a query in Thai as well as one in Thai would, for models that
follow instructions; worked examples do not: they show the model queries in English. So only chat
prompts, judges and scorers are chosen here, and completions load the file of their own language
(`own_prompt`). The place of a missing file is taken, never that of a damaged one.

A fallback is never silent: the name of the file goes into each row's provenance, and flows write it
into the manifest, from where the card tells it. `prompts_fallback: none` forbids it for a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import prompts
from sdg.errors import ConfigError
from sdg.language_names import english_name

FALLBACK_LANGUAGE = "eng-Latn"


class ChosenPrompt(NamedTuple):
    """A prompt and the language it is used for.

    Attributes:
        prompt: The file.
        language: What was asked for, `tha-Thai`.
        language_name: What the file calls that language; fills {query_language}.
    """

    prompt: prompts.Prompt
    language: str
    language_name: str

    @property
    def is_fallback(self) -> bool:
        """Return whether the instructions are in English although the language is another."""
        return self.prompt.language != self.language

    @property
    def name(self) -> str:
        """Return `<task>/<language>` of the file."""
        return f"{self.prompt.task}/{self.prompt.language}"


def choose_prompt(task: str, language: str, folder: Path | None = None) -> ChosenPrompt:
    """Return the prompt of `task` in `language`, or in English if there is no such file.

    Args:
        task: Name of a folder of prompts.
        language: ISO 639-3 + script.
        folder: The folder that holds `<task>/<language>.md`; None for the packaged prompts. A
            folder of your own falls back to its own English file.

    Raises:
        ConfigError: If neither file is there, the file is damaged, or the language has no English
            name to put into the English file.
    """
    has_own = language in prompts.languages(task, folder)
    if has_own or FALLBACK_LANGUAGE not in prompts.languages(task, folder):
        return own_prompt(task, language, folder)
    english = own_prompt(task, FALLBACK_LANGUAGE, folder).prompt
    return ChosenPrompt(english, language, english_name(language))


def own_prompt(task: str, language: str, folder: Path | None = None) -> ChosenPrompt:
    """Return the prompt of `task` in `language` itself: worked examples have no fallback.

    Raises:
        ConfigError: If there is none, or it is damaged.
    """
    try:
        prompt = prompts.load(task, language, folder)
    except prompts.PromptError as error:
        raise ConfigError(str(error)) from error
    return ChosenPrompt(prompt, language, prompt.language_name)
