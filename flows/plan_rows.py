"""The rows of a plan: what is asked for one pair of languages, task and generator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Final

import polars as pl

from flows.config import RunConfig
from sdg.tasks import LlmTask, Task

# Characters per token, and tokens per query, of the demo's model; measured on 60 English and 60
# French and Spanish abstracts. Other tokenizers differ, and scripts other than Latin much.
_ENGLISH: Final = (4.7, 11)
_OTHER: Final = (3.0, 21)
# Six worked examples, or an instruction that no task tells; measured: 475 tokens with a document of
# about 90.
_PROMPT_CHARACTERS: Final = 1800
# What likelihoods are called in the column of tasks; no task of a plan can have this name.
RELABEL: Final = "(relabel)"
# What questions before the question are called: at most, since requests may share them.
PREPARE: Final = "(prepare {})"
_CELL: Final = ["document_language", "query_language", "task", "generator"]


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What is asked for one pair of languages, task and generator.

    Attributes:
        document_language: As `eng-Latn`.
        query_language: As `eng-Latn`.
        task: As in the plan, or `RELABEL`.
        generator: "" where nobody is asked.
        requests: Exact; of likelihoods and variations at most.
        candidates: Rows that the requests must end as; 0 for likelihoods.
        prompt_tokens: Expected to be read.
        completion_tokens: Expected to be written.
        seconds: At the generator's rate, alone; None where it has none for this.
        gpu_hours: Of all its GPUs; 0 where it keeps no account of them, None without `seconds`.
        cost: In the currency of the configured prices; None where there is none.
    """

    document_language: str
    query_language: str
    task: str
    generator: str
    requests: int
    candidates: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None = None
    gpu_hours: float | None = None
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row for `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def generation_rows(config: RunConfig, requests: pl.DataFrame) -> list[PlanRow]:
    """Return what the plan asks, by languages and task.

    Args:
        config: The run.
        requests: REQUESTS, or `varied_requests`, with the column `characters`, the length of the
            document; 0 without one.
    """
    tasks = config.tasks()
    rows = []
    for key, group in requests.group_by(_CELL, maintain_order=True):
        documents_in, queries_in, name, generator = map(str, key)
        replies = int(group["num_candidates"].sum())
        # What writes documents for accepted queries ends as no row of its own.
        candidates = 0 if tasks[name].varies == "documents" else replies
        sampling = getattr(tasks[name], "sampling", None)
        own = int(group["characters"].sum())
        read = own + _instructions(tasks[name], documents_in, queries_in) * len(group)
        written = _written(tasks[name], queries_in)
        if steps := getattr(tasks[name], "num_preparations", 0):
            rows.append(
                PlanRow(
                    documents_in,
                    queries_in,
                    PREPARE.format(name),
                    _preparing(group) or generator,
                    requests=len(group) * steps,
                    candidates=0,
                    prompt_tokens=_tokens(own + _PROMPT_CHARACTERS * len(group), documents_in)
                    * steps,
                    completion_tokens=len(group) * steps * sampling.max_tokens if sampling else 0,
                )
            )
        rows.append(
            PlanRow(
                documents_in,
                queries_in,
                name,
                generator,
                requests=len(group),
                candidates=candidates,
                prompt_tokens=_tokens(read, documents_in) if generator else 0,
                completion_tokens=replies * written if generator else 0,
            )
        )
    return sorted(rows, key=lambda row: (row.document_language, row.query_language, row.task))


def varied_requests(config: RunConfig, requests: pl.DataFrame) -> pl.DataFrame:
    """Return what variations ask if every planned candidate is accepted, as `requests` are.

    Documents are as long as those of the rows that are varied are on average.
    """
    schema = requests.select(*_CELL, "num_candidates", "characters", "spec").schema
    parts = [pl.DataFrame(schema=schema)]
    for variation in config.variations:
        names = variation.fitting(requests["task"].unique().to_list())
        eligible = requests.filter(pl.col("task").is_in(sorted(names)))
        if variation.languages:
            eligible = eligible.filter(pl.col("query_language").is_in(variation.languages))
        every = int(eligible["num_candidates"].sum())
        wanted = variation.share * every if variation.count is None else variation.count
        part = min(wanted / every, 1.0) * variation.per_row if every else 0.0
        weights = sum(variation.pool.values())
        for key, group in eligible.group_by(_CELL[:2], maintain_order=True):
            rows = int(group["num_candidates"].sum())
            shown = (group["characters"] * group["num_candidates"]).sum() / rows
            for generator, weight in sorted(variation.pool.items()):
                one = {
                    **dict(zip(_CELL[:2], key, strict=True)),
                    "task": variation.task.label,
                    "generator": generator,
                    "num_candidates": variation.task.num_candidates,
                    "characters": round(shown),
                    "spec": json.dumps({"prepared_by": variation.prepared_by}),
                }
                count = round(part * rows * weight / weights)
                row = pl.DataFrame([one], schema)
                parts.append(row.select(pl.all().repeat_by(count).explode()).drop_nulls("task"))
    return pl.concat(parts)


def _instructions(task: Task, documents_in: str, queries_in: str) -> int:
    """Return the characters of a prompt beside the document."""
    languages = {"document_language": documents_in, "query_language": queries_in}
    told = task.instructions(languages) if isinstance(task, LlmTask) else ""
    return len(told) or _PROMPT_CHARACTERS


def _written(task: Task, language: str) -> int:
    """Return the tokens of a reply's candidate."""
    sampling = getattr(task, "sampling", None)
    expected = _tokens_per_query(language)
    if sampling is None:
        return expected
    # Documents may be as long as they are let to be; queries are not.
    most = int(sampling.max_tokens)
    return most if task.writes_documents else min(most, expected)


def _preparing(requests: pl.DataFrame) -> str:
    """Return the generator of preparations that specs name, "" for the requests' own."""
    return str(json.loads(requests["spec"][0]).get("prepared_by", ""))


def likelihood_rows(config: RunConfig, requests: pl.DataFrame) -> list[PlanRow]:
    """Return what relabelling asks if every query comes as far as that.

    These are all candidates, or one of each request where the round trip keeps the best only.
    """
    settings = config.relabel
    if not settings.enabled:
        return []
    names = requests["task"].unique().to_list()
    wanted = [n for n in names if any(fnmatch(n, glob) for glob in settings.apply_to_tasks)]
    requests = requests.filter(pl.col("task").is_in(wanted))
    best_only = config.round_trip.best_of
    queries = pl.lit(1, pl.Int32) if best_only else pl.col("num_candidates")
    shown = pl.col("characters").clip(upper_bound=settings.max_document_characters) * queries
    requests = requests.with_columns(queries=queries)
    rows = []
    keys = ["document_language", "query_language"]
    for key, group in requests.with_columns(shown=shown).group_by(keys, maintain_order=True):
        documents_in, queries_in = map(str, key)
        asked = int(group["queries"].sum())
        per_score = _tokens(int(group["shown"].sum()), documents_in)
        per_score += asked * _tokens_per_query(queries_in)
        rows.append(
            PlanRow(
                documents_in,
                queries_in,
                RELABEL,
                settings.engine,
                requests=asked * settings.scores_per_query,
                candidates=0,
                prompt_tokens=per_score * settings.scores_per_query,
                completion_tokens=0,
            )
        )
    return sorted(rows, key=lambda row: (row.document_language, row.query_language))


def _tokens(characters: int, language: str) -> int:
    return int(characters / (_ENGLISH if language.startswith("eng") else _OTHER)[0])


def _tokens_per_query(language: str) -> int:
    return (_ENGLISH if language.startswith("eng") else _OTHER)[1]
