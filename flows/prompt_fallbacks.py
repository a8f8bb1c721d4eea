"""Where English instructions stand in for a language that has no prompt file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from data_cards.records import Fact
from sdg.judge import Judge
from sdg.plan import PlanConfig
from sdg.relabel import Scorer
from sdg.variations import Variation


class PromptFallback(NamedTuple):
    """One prompt that was not there.

    Attributes:
        stage: Which stage asks with the English one instead.
        task: Folder of the prompts.
        language: The language without a file.
    """

    stage: str
    task: str
    language: str


def planned_fallbacks(
    plan: PlanConfig, variations: Sequence[Variation] = ()
) -> Iterator[PromptFallback]:
    """Yield the fallbacks of the tasks of a plan and of variations, some of them twice.

    Raises:
        ConfigError: If a task has no prompt for a language of its quotas, nor a fallback.
    """
    planned = [(entry.task, quota) for entry in plan.entries for quota in entry.quotas]
    asked = planned + [
        (variation.task, quota)
        for variation in variations
        for task, quota in planned
        if variation.fitting([task.label])
        and (not variation.languages or quota.queries in variation.languages)
    ]
    for task, quota in asked:
        request = {
            "request_id": "",
            "task": task.label,
            "document_language": quota.documents,
            "query_language": quota.queries,
            "generator": "",
            "seed": 0,
            "spec": "{}",
        }
        for used in task.prompt_use(request).fallbacks:
            folder, _, language = used.partition(": ")
            yield PromptFallback("generate", folder, language)


def judging_fallbacks(
    scorers: Sequence[Scorer], judges: Sequence[Judge], languages: Iterable[str]
) -> Iterator[PromptFallback]:
    """Yield the fallbacks of scorers and judges that are asked about queries in some languages.

    Raises:
        ConfigError: If one of them has no prompt for a language, nor a fallback.
    """
    for language in sorted(set(languages)):
        for scorer in scorers:
            if scorer.prompt_name(language) != f"{scorer.name}/{scorer.language_for(language)}":
                yield PromptFallback("relabel", scorer.name, scorer.language_for(language))
        for judge in judges:
            for name in judge.prompt_sha256(language):
                task, _, used = name.partition("/")
                if used != judge.language_for(language):
                    yield PromptFallback("judge", task, judge.language_for(language))


def fallback_facts(found: Iterable[PromptFallback]) -> list[Fact]:
    """Return what the card says of fallbacks: one sentence per stage and task."""
    languages: dict[tuple[str, str], set[str]] = {}
    for fallback in found:
        languages.setdefault((fallback.stage, fallback.task), set()).add(fallback.language)
    return [
        Fact(kind="fallback", stage=stage, text=told(task, sorted(own)))
        for (stage, task), own in sorted(languages.items())
    ]


def told(task: str, languages: Sequence[str]) -> str:
    """Return the sentence about one task: "Instructions in English for: tha-Thai (llm_query)."."""
    return f"Instructions in English for: {', '.join(languages)} ({task} has no prompt in them)."
