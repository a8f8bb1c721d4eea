"""The prompt files of a run: hashes that decide what is done again, and what the manifest says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import prompts
from data_cards.records import PromptRecord


def prompt_hashes() -> dict[str, str]:
    """Return "task/language" -> sha256 of every prompt file there is."""
    return {
        f"{task}/{language}": prompts.load(task, language).sha256
        for task in prompts.tasks()
        for language in prompts.languages(task)
    }


def prompt_records(names: Iterable[str], folder: str = "") -> list[PromptRecord]:
    """Return what the manifest says of prompt files, by name.

    Args:
        names: "task/language", in any order, repeated or not.
        folder: Where they lie; "" for the packaged ones.
    """
    root = Path(folder) if folder else None
    return [_record(name, root) for name in sorted(set(names))]


def _record(name: str, root: Path | None) -> PromptRecord:
    task, language = name.split("/", 1)
    prompt = prompts.load(task, language, root)
    # The folder's own name alone: where it lies on a machine is nobody's business.
    place = f"{root.resolve().name}/" if root else ""
    return PromptRecord(
        path=f"{place}{name}.md",
        language=language,
        sha256=prompt.sha256,
        written_by=prompt.written_by,
        reviewed_by=prompt.reviewed_by,
    )
