"""Whether every task, scorer and judge has a prompt in the languages that the plan asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from typing import TypeVar

from flows.checks import Question, Setup, Told
from flows.checks.asked import all_judges
from flows.config import RunConfig
from sdg.errors import ConfigError
from sdg.judge import Judge
from sdg.relabel import Scorer
from sdg.tasks import Task

KIND = "prompts"

T = TypeVar("T")


def questions(setup: Setup) -> Iterator[Question]:
    """Ask for the prompts of every task, every scorer and every judge."""
    config = setup.config
    pairs: dict[str, dict[tuple[str, str], None]] = {}
    for entry in config.plan.entries:
        own = pairs.setdefault(entry.task.label, {})
        own.update(dict.fromkeys((q.documents, q.queries) for q in entry.quotas))
    planned = [(label, pair) for label, own in pairs.items() for pair in own]
    for variation in config.variations:
        asked = (
            pair
            for label, pair in planned
            if variation.fitting([label])
            and (not variation.languages or pair[1] in variation.languages)
        )
        pairs.setdefault(variation.task.label, {}).update(dict.fromkeys(asked))
    for label, task in config.tasks().items():
        yield _task(label, task, list(pairs[label]))
    relabel = config.relabel
    for scorer in relabel.scorers if relabel.enabled else ():
        yield _scorer(scorer, _languages(config, relabel.apply_to_tasks))
    judges = [j for j in all_judges(config) if j.engine_name]
    for judge in {j.model_dump_json(): j for j in judges}.values():
        yield _judge(judge, _languages(config, config.judge.apply_to_tasks))


def _languages(config: RunConfig, patterns: Iterable[str]) -> list[str]:
    """Return the query languages of the tasks that match one of `patterns`."""
    wanted = tuple(patterns)
    return sorted(
        {
            quota.queries
            for entry in config.plan.entries
            for quota in entry.quotas
            if any(fnmatch(entry.task.label, pattern) for pattern in wanted)
        }
    )


def _task(label: str, task: Task, pairs: list[tuple[str, str]]) -> Question:
    def files(pair: tuple[str, str]) -> list[str]:
        documents, queries = pair
        task.check(documents, queries)
        request = {"document_language": documents, "query_language": queries, "spec": "{}"}
        return task.prompt_use(request).names.split("+")

    def ask() -> Told:
        if not task.asks_llm:
            for pair in pairs:
                task.check(*pair)
            return Told("needs none: people wrote the queries")
        return _found(label, pairs, files)

    return Question(KIND, f"task {label}", "for its prompts", ask)


def _scorer(scorer: Scorer, languages: list[str]) -> Question:
    def files(language: str) -> list[str]:
        scorer.prompt_sha256(language)
        return [f"{scorer.name}/{scorer.language_for(language)}"]

    name = f"scorer {scorer.name}"
    return Question(KIND, name, "for its prompts", lambda: _found(name, languages, files))


def _judge(judge: Judge, languages: list[str]) -> Question:
    def files(language: str) -> list[str]:
        return list(judge.prompt_sha256(language))

    name = f"judge {judge.name} by {judge.engine_name}"
    return Question(KIND, name, "for its prompts", lambda: _found(name, languages, files))


def _found(name: str, wanted: list[T], files: Callable[[T], list[str]]) -> Told:
    """Return the files that serve everything that is wanted."""
    used: dict[str, None] = {}
    missing: dict[str, str] = {}
    for one in wanted:
        try:
            used.update(dict.fromkeys(files(one)))
        except ConfigError as error:
            missing[" to ".join(one) if isinstance(one, tuple) else str(one)] = str(error)
    if missing:
        raise ConfigError(
            f"{name!r} must have a prompt for every language of the plan, but for "
            f"{', '.join(missing)} it has none: {next(iter(missing.values()))}"
        )
    return Told(", ".join(used) or "none is needed", {"files": list(used)})
