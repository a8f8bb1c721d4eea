"""The prompt files of a run: hashes that decide what is done again, and what the manifest says."""

from __future__ import annotations

from collections.abc import Iterable

import prompts
from data_cards.records import PromptRecord


def prompt_hashes() -> dict[str, str]:
    """Return "task/language" -> sha256 of every prompt file there is."""
    return {
        f"{task}/{language}": prompts.load(task, language).sha256
        for task in prompts.tasks()
        for language in prompts.languages(task)
    }


def prompt_records(names: Iterable[str]) -> list[PromptRecord]:
    """Return what the manifest says of prompt files, by name.

    Args:
        names: "task/language", in any order, repeated or not.
    """
    return [_record(*name.split("/", 1)) for name in sorted(set(names))]


def _record(task: str, language: str) -> PromptRecord:
    prompt = prompts.load(task, language)
    return PromptRecord(
        path=f"{task}/{language}.md",
        language=language,
        sha256=prompt.sha256,
        written_by=prompt.written_by,
        reviewed_by=prompt.reviewed_by,
    )
